#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace viaduct::hosts {

// What `reach` and the `node`s say to each other over ssh: a line "NAME LENGTH" and that many bytes.
//
//   node to reach   hello     JSON NodeHello, first of all
//                   serving   a number: the port at which the job's SSH is served
//                   ready     empty: after peers
//                   log       bytes of the run's log (the node that launches)
//                   started   empty: every rank has started
//                   exit      JSON ExitRecord: nothing of the run is left
//                   error     JSON {"message", "hint"}: this node can't go on
//   reach to node   alive     empty: every few seconds; a node that hears nothing for long ends
//                   host-key, client-key   private keys in OpenSSH's form
//                   serve     JSON ServeRequest
//                   peers     JSON PeersRequest: the node's own ssh may now reach the others
//                   launch    JSON LaunchRequest
//                   signal    a number: for `launch`
//
// The end of the stream is the end of the run.
struct Frame {
  std::string name;
  std::string body;
};

inline constexpr std::size_t longest_frame = std::size_t{64} << 20;  // bytes

std::string format_frame(std::string_view name, std::string_view body);

// Takes a stream apart. `next` throws Error when it is no stream of frames.
class FrameReader {
 public:
  ~FrameReader();  // wipes what it holds, which may be keys
  void feed(std::string_view bytes);
  std::optional<Frame> next();

 private:
  std::string held_;
};

}  // namespace viaduct::hosts
