#include "model/hostlist.h"

#include <catch2/catch.hpp>
#include <climits>
#include <random>

#include "base/error.h"
#include "base/text.h"

namespace viaduct::model {
namespace {

std::string expanded(std::string_view text) { return join(expand_hostlist(text), " "); }
std::string compressed(std::string_view hosts) { return compress_hostlist(split(hosts, ' ')); }

std::string counts(std::string_view text) {
  std::vector<std::string> parts;
  for (const int count : expand_counts(text)) parts.push_back(std::to_string(count));
  return join(parts, " ");
}

// What `call` says when it refuses its input; "" when it doesn't.
template <typename Call>
std::string refusal(Call call) {
  try {
    call();
    return "";
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::bad_input);
    return error.what();
  }
}
std::string expand_refusal(std::string_view text) {
  return refusal([&] { expand_hostlist(text); });
}
std::string compress_refusal(const std::vector<std::string>& hosts) {
  return refusal([&] { compress_hostlist(hosts); });
}
std::string counts_refusal(std::string_view text) {
  return refusal([&] { expand_counts(text); });
}

}  // namespace

TEST_CASE("hostlist: no text is no hosts, both ways") {
  CHECK(expand_hostlist("").empty());
  CHECK(expand_hostlist(" ,\t\n,").empty());
  CHECK(compress_hostlist({}).empty());
}

TEST_CASE("hostlist: a range gives every number in it") {
  CHECK(expanded("n[8-11]") == "n8 n9 n10 n11");
  CHECK(expanded("n[1-3,7,5-6]") == "n1 n2 n3 n7 n5 n6");
  CHECK(expanded("n[4]") == "n4");
  CHECK(expanded("n[3-3]") == "n3");
}

TEST_CASE("hostlist: a range keeps leading zeros") {
  CHECK(expanded("n[08-11]") == "n08 n09 n10 n11");
  CHECK(expanded("n[098-101]") == "n098 n099 n100 n101");
  CHECK(expanded("n[98-101]") == "n98 n99 n100 n101");
  CHECK(expanded("n[1,01,001]") == "n1 n01 n001");
}

TEST_CASE("hostlist: the low bound says how wide numbers are") {
  CHECK(expanded("n[00-1]") == "n00 n01");
  CHECK(expanded("n[008-11]") == "n008 n009 n010 n011");
  CHECK(expanded("n[1-002]") == "n1 n2");
}

TEST_CASE("hostlist: names are separated by commas, tabs, blanks and newlines") {
  CHECK(expanded("a,b\tc d\ne") == "a b c d e");
  CHECK(expanded(",a,, n[1-2] ,") == "a n1 n2");
}

TEST_CASE("hostlist: order and duplicates are kept") { CHECK(expanded("n[3,1-2],n2,a,a") == "n3 n1 n2 n2 a a"); }

TEST_CASE("hostlist: several brackets give every combination, the left one slowest") {
  CHECK(expanded("r[1-2]n[01-02]") == "r1n01 r1n02 r2n01 r2n02");
  CHECK(expanded("a[1-2][3-4]") == "a13 a14 a23 a24");
  CHECK(expanded("a[1,3]b[2]c[5-6]") == "a1b2c5 a1b2c6 a3b2c5 a3b2c6");
}

TEST_CASE("hostlist: a name may be all bracket, or all number") {
  CHECK(expanded("[1-3]") == "1 2 3");
  CHECK(expanded("007,[08-09]") == "007 08 09");
}

TEST_CASE("hostlist: text may follow a bracket") {
  CHECK(expanded("n[1-2]-ib") == "n1-ib n2-ib");
  CHECK(expanded("r[1-2]n[3-4].hall.example") ==
        "r1n3.hall.example r1n4.hall.example r2n3.hall.example r2n4.hall.example");
}

TEST_CASE("hostlist: what is malformed is refused at its column") {
  CHECK(expand_refusal("n[3-1]") == "hostlist, column 3: the range 3-1 runs backwards");
  CHECK(expand_refusal("n[]") == "hostlist, column 3: ']' where a number should be");
  CHECK(expand_refusal("n[1,]") == "hostlist, column 5: ']' where a number should be");
  CHECK(expand_refusal("n[,1]") == "hostlist, column 3: ',' where a number should be");
  CHECK(expand_refusal("n[1,,2]") == "hostlist, column 5: ',' where a number should be");
  CHECK(expand_refusal("n[1-]") == "hostlist, column 5: ']' where a number should be");
  CHECK(expand_refusal("n[-2]") == "hostlist, column 3: '-' where a number should be");
  CHECK(expand_refusal("n[a]") == "hostlist, column 3: 'a' where a number should be");
  CHECK(expand_refusal("ok,n[1 - 2]") == "hostlist, column 7: ' ' between brackets");
  CHECK(expand_refusal("n[1-2-3]") == "hostlist, column 6: '-' between brackets");
  CHECK(expand_refusal("n[000x133]") == "hostlist, column 6: 'x' between brackets");
  CHECK(expand_refusal("n[1234567890123456789]") == "hostlist, column 3: a number of more than 18 digits");
}

TEST_CASE("hostlist: brackets balance") {
  CHECK(expand_refusal("ab[1-2") == "hostlist, column 3: this '[' is never closed");
  CHECK(expand_refusal("n[") == "hostlist, column 3: the end where a number should be");
  CHECK(expand_refusal("n1]") == "hostlist, column 3: ']' without a '[' before it");
  CHECK(expand_refusal("n[1]]") == "hostlist, column 5: ']' without a '[' before it");
  CHECK(expand_refusal("n[[1]]") == "hostlist, column 3: '[' where a number should be");
}

TEST_CASE("hostlist: a name holds nothing that ssh or a shell would understand") {
  CHECK(expand_refusal("a,-oProxyCommand=x") == "hostlist, column 3: a host name can't begin with '-'");
  CHECK(expand_refusal("n1;reboot") == "hostlist, column 3: ';' in a host name");
  CHECK(expand_refusal("a/b") == "hostlist, column 2: '/' in a host name");
  CHECK(expand_refusal("block{n[1-2]}") == "hostlist, column 6: '{' in a host name");
  CHECK(expand_refusal("a\r\nb") == "hostlist, column 2: byte 0x0d in a host name");
  CHECK(expand_refusal("\xc3\xa4") == "hostlist, column 1: byte 0xc3 in a host name");
  CHECK(expand_refusal(std::string_view("a\0b", 3)) == "hostlist, column 2: byte 0x00 in a host name");
}

TEST_CASE("hostlist: a refusal says what would be right") {
  try {
    expand_hostlist("n[12-9]");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.hint() == "write [9-12]");
  }
}

TEST_CASE("hostlist: a name gives 64 K hosts at most") {
  CHECK(expand_hostlist("n[1-65536]").size() == max_hosts_per_name);
  CHECK(expand_hostlist("n[1-256]m[1-256]").size() == max_hosts_per_name);
  CHECK(expand_refusal("n[1-65537]") == "hostlist, column 3: more than 65536 hosts in one name");
  CHECK(expand_refusal("n[1-65535,7,8]") == "hostlist, column 13: more than 65536 hosts in one name");
  CHECK(expand_refusal("a,n[1-257]m[1-256]") == "hostlist, column 3: more than 65536 hosts in one name");
  CHECK(expand_refusal("n[0-999999999999999999]") == "hostlist, column 3: more than 65536 hosts in one name");
  CHECK_FALSE(expand_refusal("n[0-60000]m[0-60000]m[0-60000]m[0-60000]m[0-60000]").empty());
}

TEST_CASE("hostlist: a text gives 256 K hosts at most") {
  const std::string full = "[0-65535] [0-65535] [0-65535] [0-65535]";
  CHECK(expand_hostlist(full).size() == max_hosts);
  CHECK(expand_refusal(full + " n") == "hostlist, column 41: more than 262144 hosts up to here");
  std::vector<std::string> hosts(max_hosts, "n");
  CHECK(expand_hostlist(compress_hostlist(hosts)) == hosts);
  hosts.emplace_back("n");
  CHECK(compress_refusal(hosts) == "a list of 262145 hosts; at most 262144 can be written");
}

TEST_CASE("hostlist: a host name has 255 bytes at most") {
  const std::string longest(255, 'a');
  CHECK(expanded(longest) == longest);
  CHECK(compressed(longest) == longest);
  CHECK(expand_refusal("b," + longest + "a") == "hostlist, column 3: a host name of more than 255 bytes");
  CHECK(expand_refusal(std::string(254, 'a') + "[9-10]") == "hostlist, column 1: a host name of more than 255 bytes");
  CHECK(expand_hostlist(std::string(254, 'a') + "[8-9]").size() == 2);
  CHECK(compress_refusal({longest + "a"}) == "host 1 of the list: host name, column 256: more than 255 bytes");
}

TEST_CASE("hostlist: neighbours share a bracket") {
  CHECK(compressed("n1 n2 n3") == "n[1-3]");
  CHECK(compressed("n1 n2 n4 n6 n7") == "n[1-2,4,6-7]");
  CHECK(compressed("n1") == "n1");
  CHECK(compressed("login n1 n2 login") == "login,n[1-2],login");
  CHECK(compressed("1 2 3") == "[1-3]");
  CHECK(compressed("n-1 n-2") == "n-[1-2]");
  CHECK(compressed("n n1 n2 n") == "n,n[1-2],n");
}

TEST_CASE("hostlist: compressing reorders nothing") {
  CHECK(compressed("n3 n1 n2") == "n[3,1-2]");
  CHECK(compressed("n2 n1") == "n[2,1]");
  CHECK(compressed("n1 n1 n2") == "n[1,1-2]");
  CHECK(compressed("a1 b1 a2 b2") == "a1,b1,a2,b2");
}

TEST_CASE("hostlist: only the last number of a name is compressed") {
  CHECK(compressed("r1n1 r1n2 r2n1 r2n2") == "r1n[1-2],r2n[1-2]");
}

TEST_CASE("hostlist: names that don't end in a number are written out, for Slurm before 23.11") {
  CHECK(compressed("n1-ib n2-ib") == "n1-ib,n2-ib");
  CHECK(compressed("n1.example n2.example") == "n1.example,n2.example");
}

TEST_CASE("hostlist: numbers of different widths share a range where padding allows") {
  CHECK(compressed("n9 n10 n11") == "n[9-11]");
  CHECK(compressed("n09 n10") == "n[09-10]");
  CHECK(compressed("n99 n100") == "n[99-100]");
  CHECK(compressed("n099 n100 n101") == "n[099-101]");
  CHECK(compressed("n1 n02") == "n[1,02]");
  CHECK(compressed("n9 n010") == "n[9,010]");
  CHECK(compressed("n1 n01 n001") == "n[1,01,001]");
  CHECK(compressed("n01 n02 n03 n4") == "n[01-03,4]");
}

TEST_CASE("hostlist: a number too long to count with is text") {
  CHECK(compressed("n999999999999999998 n999999999999999999") == "n[999999999999999998-999999999999999999]");
  CHECK(compressed("n1234567890123456788 n1234567890123456789") == "n1234567890123456788,n1234567890123456789");
}

TEST_CASE("hostlist: what can't be read back isn't written") {
  CHECK(compress_refusal({"a", ""}) == "host 2 of the list: host name, column 1: it is empty");
  CHECK(compress_refusal({"a b"}) == "host 1 of the list: host name, column 2: ' ' in a host name");
  CHECK(compress_refusal({"n[1]"}) == "host 1 of the list: host name, column 2: '[' in a host name");
  CHECK(compress_refusal({"-n1"}) == "host 1 of the list: host name, column 1: a host name can't begin with '-'");
}

TEST_CASE("hostlist: more than 64 K neighbours take more than one name") {
  std::vector<std::string> hosts(70000);
  for (std::size_t i = 0; i < hosts.size(); ++i) hosts[i] = str("n", i);
  CHECK(compress_hostlist(hosts) == "n[0-65535],n[65536-69999]");
  CHECK(expand_hostlist(compress_hostlist(hosts)) == hosts);
}

TEST_CASE("hostlist: any list of hosts survives compressing and expanding") {
  std::mt19937 random(20240229);
  const auto below = [&](std::size_t bound) { return random() % bound; };
  const std::vector<std::string> stems = {"n", "n", "n", "rack-1.n", "", "1-", "0_", "login", "9"};
  const std::vector<std::string> ends = {"", "", "", "-ib", ".example", "x", "0"};
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> hosts;
    std::size_t number = below(120);
    std::size_t stem = 0;
    for (std::size_t left = below(40); left > 0; --left) {
      if (below(5) == 0) stem = below(stems.size());
      number = below(4) == 0 ? below(1200) : number + 1;
      std::string digits = std::to_string(number);
      if (below(3) == 0) digits.insert(0, below(3), '0');
      hosts.push_back(str(stems[stem], digits, below(6) == 0 ? ends[below(ends.size())] : ""));
    }
    const std::string text = compress_hostlist(hosts);
    INFO(text);
    REQUIRE(expand_hostlist(text) == hosts);
    REQUIRE(text.size() <= join(hosts, ",").size() + 2 * hosts.size());
  }
}

TEST_CASE("hostlist: counts repeat") {
  CHECK(counts("2(x3),1") == "2 2 2 1");
  CHECK(counts("72(x2),36") == "72 72 36");
  CHECK(counts("0,5(x1)") == "0 5");
  CHECK(expand_counts("").empty());
  CHECK(expand_counts("2147483647") == std::vector<int>{INT_MAX});
}

TEST_CASE("hostlist: counts are compressed as Slurm prints them") {
  CHECK(compress_counts({}).empty());
  CHECK(compress_counts({2, 2, 2, 1}) == "2(x3),1");
  CHECK(compress_counts({1, 2, 2, 1}) == "1,2(x2),1");
  CHECK(compress_counts(std::vector<int>(max_hosts, 4)) == "4(x262144)");
  CHECK(refusal([] { compress_counts({1, -2}); }) == "the count -2 is negative");
  CHECK(refusal([] { compress_counts(std::vector<int>(max_hosts + 1)); }) ==
        "a list of 262145 counts; at most 262144 can be written");
}

TEST_CASE("hostlist: malformed counts are refused at their column") {
  CHECK(counts_refusal("2,") == "list of counts, column 3: the end where a number should be");
  CHECK(counts_refusal(",2") == "list of counts, column 1: ',' where a number should be");
  CHECK(counts_refusal("-1") == "list of counts, column 1: '-' where a number should be");
  CHECK(counts_refusal("2(3)") == "list of counts, column 3: '3' instead of 'x'");
  CHECK(counts_refusal("2(x)") == "list of counts, column 4: ')' where a number should be");
  CHECK(counts_refusal("2(x0)") == "list of counts, column 4: no repeats");
  CHECK(counts_refusal("2(x3") == "list of counts, column 5: the end instead of ')'");
  CHECK(counts_refusal("2(x3)4") == "list of counts, column 6: '4' after a count");
  CHECK(counts_refusal("2 3") == "list of counts, column 2: ' ' after a count");
  CHECK(counts_refusal("1,2147483648") == "list of counts, column 3: 2147483648 is too large");
  CHECK(counts_refusal("1,2(x262144)") == "list of counts, column 3: more than 262144 counts up to here");
  CHECK(counts_refusal("2(x1234567890123456789)") == "list of counts, column 4: a number of more than 18 digits");
}

TEST_CASE("hostlist: any list of counts survives compressing and expanding") {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::vector<int> list(random() % 30);
    for (int& count : list) count = static_cast<int>(random() % 3);
    REQUIRE(expand_counts(compress_counts(list)) == list);
  }
}

}  // namespace viaduct::model
