#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "base/event_loop.h"
#include "base/process.h"
#include "hosts/frames.h"
#include "hosts/messages.h"

namespace viaduct::hosts {

class HostLink;

// Who is told what comes from a host. May send, but not delete the link.
class LinkOwner {
 public:
  virtual ~LinkOwner() = default;
  virtual void on_hello(HostLink& link) = 0;
  virtual void on_frame(HostLink& link, const Frame& frame) = 0;
  virtual void on_end(HostLink& link, const std::string& reason) = 0;  // once
};

// The user's ssh to one host, from the bootstrap on: sends viaduct-agent where it is wanted, then speaks frames with
// the `viaduct-agent node` there. Owns the ssh process, which ends with this one. Driven by the owner's loop.
class HostLink {
 public:
  // `agent` must outlive the link.
  HostLink(const std::string& name, const std::string& command, std::string_view agent, const Environment& environment,
           EventLoop& loop, LinkOwner& owner);
  HostLink(const HostLink&) = delete;
  HostLink& operator=(const HostLink&) = delete;
  ~HostLink();

  const std::string& name() const { return name_; }
  // How far it has come. What a host says is heeded only where it is expected.
  enum class Stage { reached, serving_asked, serving, introduced, ready };
  Stage stage() const { return stage_; }
  void set_stage(Stage stage) { stage_ = stage; }
  const std::optional<NodeHello>& hello() const { return hello_; }
  std::string address_for_others() const;  // by which the other hosts reach it: where the user's ssh arrived
  int port() const { return port_; }
  void set_port(int port) { port_ = port; }
  bool ended() const { return ended_; }
  const std::string& reason() const { return said_; }  // what ssh said last

  void send(std::string_view frame, std::string_view body);
  void finish();  // no more is sent

 private:
  void take_output();
  void take_bootstrap();
  void take_frames();
  void take_errors();
  void flush();
  void drop_input();
  void end(const std::string& reason);

  std::string name_;
  std::string_view agent_;
  EventLoop& loop_;
  LinkOwner& owner_;
  std::optional<Process> ssh_;
  Fd input_;
  Fd output_;
  Fd errors_;
  std::string unsent_;          // wiped when sent: keys go through it
  std::string_view to_upload_;  // of the agent
  std::string bootstrap_;
  std::size_t prelude_ = 0;  // bytes before the frames
  std::string partial_error_;
  std::string said_;
  bool in_frames_ = false;
  bool finishing_ = false;
  bool ended_ = false;
  FrameReader frames_;
  std::optional<NodeHello> hello_;
  Stage stage_ = Stage::reached;
  int port_ = 0;
};

}  // namespace viaduct::hosts
