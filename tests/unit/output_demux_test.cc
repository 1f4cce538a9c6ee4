#include "launcher/output_demux.h"

#include <catch2/catch.hpp>

#include "base/text.h"

using namespace viaduct;
using namespace viaduct::launcher;

namespace {

const MpiFlavour open_mpi_4{MpiFamily::open_mpi, 4, 1, "4.1.4"};
const MpiFlavour open_mpi_5{MpiFamily::open_mpi, 5, 0, "5.0.11"};
const MpiFlavour mpich{MpiFamily::mpich, 4, 0, "4.0.2"};

RankTag out_tag(const MpiFlavour& mpi) { return rank_tag(mpi, OutputStream::standard_output, "n0nce"); }

// Lines as "R|text", mpirun's own as "-|text", greetings as "hello R".
struct Collector {
  std::vector<std::string> lines;
  OutputSink sink() {
    return {[this](std::optional<int> rank, std::string_view line) {
              lines.push_back(str(rank ? std::to_string(*rank) : "-", "|", line));
            },
            [this](const RankHello& hello) { lines.push_back(str("hello ", hello.rank)); }};
  }
};

std::vector<std::string> demux(const RankTag& tag, const std::vector<std::string>& chunks, int ranks = 2) {
  Collector collector;
  OutputDemux demux(tag, ranks);
  for (const auto& chunk : chunks) demux.feed(chunk, collector.sink());
  demux.finish(collector.sink());
  return collector.lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("output demux: a tag in the middle of a line starts another rank's text") {
  CHECK(demux(out_tag(open_mpi_4), {"[1,0]<stdout>:par[1,1]<stdout>:par[1,0]<stdout>:tial\n[1,1]<stdout>:ty\n"}) ==
        Lines{"0|partial", "1|party"});
  CHECK(demux(out_tag(mpich), {"[n0nce 0]par0[n0nce 1]par1[n0nce 0]tial0\n[n0nce 1]tial1\n"}) ==
        Lines{"0|par0tial0", "1|par1tial1"});
}

TEST_CASE("output demux: Open MPI 5 puts one blank behind its tag") {
  CHECK(demux(out_tag(open_mpi_5), {"[1,0]<stdout>:  two blanks\n[1,1]<stdout>: \n"}) == Lines{"0| two blanks", "1|"});
}

TEST_CASE("output demux: text without a tag after a newline is mpirun's own") {
  CHECK(demux(out_tag(open_mpi_4), {"---\nmpirun noticed\n[1,1]<stdout>:a\nmore\n[1,1]<stdout>:b\n"}) ==
        Lines{"-|---", "-|mpirun noticed", "1|a", "-|more", "1|b"});
}

TEST_CASE("output demux: empty lines stay") {
  CHECK(demux(out_tag(open_mpi_4), {"[1,0]<stdout>:\n[1,0]<stdout>:\n\n"}) == Lines{"0|", "0|", "-|"});
}

TEST_CASE("output demux: last lines without a newline come out at the end, by rank") {
  CHECK(demux(out_tag(open_mpi_4), {"[1,1]<stdout>:b[1,0]<stdout>:a", "\nown"}) == Lines{"0|a", "-|own", "1|b"});
  CHECK(demux(out_tag(open_mpi_4), {"[1,0]<stdout>:cut [1,1]<std"}) == Lines{"0|cut [1,1]<std"});
  CHECK(demux(out_tag(open_mpi_4), {""}).empty());
}

TEST_CASE("output demux: the NUL that Open MPI 5 puts behind its messages makes no line") {
  const std::string nul(1, '\0');
  CHECK(demux(out_tag(open_mpi_5), {"---\n[1,1]<stdout>: " + nul}) == Lines{"-|---"});
  CHECK(demux(out_tag(open_mpi_5), {"---\n" + nul + "---\n[1,1]<stdout>: " + nul + "x\n"}) ==
        Lines{"-|---", "-|---", "1|x"});
}

TEST_CASE("output demux: what is not quite a tag is text") {
  const std::string prefix = "[1,0]<stdout>:";
  for (const std::string text :
       {"[1,2]<stdout>:no such rank", "[1,1]<stderr>:other stream", "[1,]<stdout>:", "[1,-1]<stdout>:",
        "[2,0]<stdout>:", "[1,99999999999]<stdout>:", "loss [1, 2]", "[1,[1,", "[1,1]", "[1,1]<stdou>:"}) {
    CAPTURE(text);
    CHECK(demux(out_tag(open_mpi_4), {prefix + text + "\n"}) == Lines{"0|" + text});
  }
  CHECK(demux(out_tag(open_mpi_4), {prefix + "[1,[1,1]<stdout>:x\n"}) == Lines{"1|x", "0|[1,"});
}

TEST_CASE("output demux: however the stream is cut into chunks, the lines are the same") {
  const std::string text =
      "start\n[1,0]<stdout>:par[1,1]<stdout>:\n[1,11]<stdout>:x[1,0]<stdout>:tial [1,7 [1,\n[1,1]<stdout>:end\nown [1,";
  const Lines whole = demux(out_tag(open_mpi_4), {text}, 12);
  REQUIRE(whole == Lines{"-|start", "1|", "0|partial [1,7 [1,", "1|end", "-|own [1,", "11|x"});
  for (std::size_t first = 0; first <= text.size(); ++first) {
    for (std::size_t second = first; second <= text.size(); ++second) {
      CHECK(demux(out_tag(open_mpi_4), {text.substr(0, first), text.substr(first, second - first), text.substr(second)},
                  12) == whole);
    }
  }
  Lines single;
  for (const char c : text) single.emplace_back(1, c);
  CHECK(demux(out_tag(open_mpi_4), single, 12) == whole);
}

TEST_CASE("output demux: a line longer than the limit comes in pieces") {
  const std::string tag = "[1,0]<stdout>:";
  const auto sizes = [&](std::size_t length) {
    Lines lines = demux(out_tag(open_mpi_4), {tag + std::string(length, 'x') + "\n" + tag + "next\n"}, 1);
    std::vector<std::size_t> out;
    for (const auto& line : lines) out.push_back(line.size() - 2);
    return out;
  };
  constexpr auto limit = OutputDemux::max_line;
  CHECK(sizes(limit) == std::vector<std::size_t>{limit, 4});
  CHECK(sizes(limit + 1) == std::vector<std::size_t>{limit, 1, 4});
  CHECK(sizes(2 * limit + 5) == std::vector<std::size_t>{limit, limit, 5, 4});
}

TEST_CASE("output demux: a rank's greeting is handed over and not printed") {
  const RankTag tag = rank_tag(open_mpi_4, OutputStream::standard_error, "");
  const std::string hello = format_hello({1, "node1", 4711, "0-3"});
  CHECK(demux(tag, {"[1,1]<stderr>:" + hello + "[1,1]<stderr>:text\n"}) == Lines{"hello 1", "1|text"});
  SECTION("from another rank it is text") {
    CHECK(demux(tag, {"[1,0]<stderr>:" + hello}).front().starts_with("0|"));
    CHECK(demux(tag, {hello}).front().starts_with("-|"));
  }
}

TEST_CASE("rank report: a greeting is read as it was written, and nothing else is") {
  const RankHello hello{12, "gpu-3.example.org", 4711, "0-7,16"};
  const std::string line = format_hello(hello);
  CHECK(line == "\x1eviaduct rank=12 host=gpu-3.example.org pid=4711 cpus=0-7,16\n");
  CHECK(parse_hello(trim(line)) == hello);
  CHECK(parse_hello("\x1eviaduct rank=0 host=h pid=1 cpus=") == RankHello{0, "h", 1, ""});
  for (const char* bad :
       {"", "viaduct rank=0 host=h pid=1 cpus=0", "\x1eviaduct rank=-1 host=h pid=1 cpus=0",
        "\x1eviaduct rank=0 host=h pid=0 cpus=0", "\x1eviaduct rank=0 host=h pid=1",
        "\x1eviaduct rank=0 host=h pid=1 cpus=0 more", "\x1eviaduct rank=9999999999 host=h pid=1 cpus=0"}) {
    CAPTURE(bad);
    CHECK(!parse_hello(bad));
  }
}

TEST_CASE("rank report: a bad end is read as it was written, and nothing else is taken for one") {
  for (const RankEnd& end : {RankEnd{3, 7, 0}, RankEnd{0, 0, 11}}) {
    const std::string line = format_end(end);
    CHECK(line.back() == '\n');
    CHECK(parse_end(trim(line)) == end);
  }
  for (const auto* bad : {"\x1eviaduct rank=1", "\x1eviaduct rank=1 exit=", "\x1eviaduct rank=1 exit=7 signal=9",
                          "\x1eviaduct rank=-1 exit=7", "viaduct rank=1 exit=7", "\x1eviaduct rank=1 exit=7 more"})
    CHECK(!parse_end(bad));
}

TEST_CASE("output demux: the report of a bad end is no output, and counts only from its own rank") {
  std::vector<std::string> seen;
  const OutputSink sink = {
      .line = [&](std::optional<int> rank,
                  std::string_view line) { seen.push_back(str("line ", rank.value_or(-1), " ", line)); },
      .hello = nullptr,
      .end = [&](const RankEnd& end) { seen.push_back(str("end ", end.rank, " ", end.exit_code)); }};
  OutputDemux demux({"<", ">"}, 2);
  demux.feed(str("<1>", format_end({1, 7, 0}), "<0>", format_end({1, 7, 0})), sink);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0] == "end 1 7");
  CHECK(seen[1].starts_with("line 0 "));
}
