#include "model/quantity.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "base/error.h"
#include "base/text.h"

// Expected values are those of k8s.io/apimachinery 0.29, except where a case says otherwise.
namespace viaduct::model {
namespace {

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();

std::string canonical(std::string_view text) { return Quantity::parse(text).to_string(); }
std::int64_t value(std::string_view text) { return Quantity::parse(text).value(); }
std::int64_t milli(std::string_view text) { return Quantity::parse(text).milli_value(); }

std::string refusal(std::string_view text) {
  try {
    return "accepted as " + canonical(text);
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::bad_input);
    CHECK_FALSE(error.hint().empty());
    return error.what();
  }
}

}  // namespace

TEST_CASE("quantity: every suffix has its weight") {
  CHECK(Quantity::parse("1000n") == Quantity::parse("1u"));
  CHECK(Quantity::parse("1000u") == Quantity::parse("1m"));
  CHECK(Quantity::parse("1000m") == Quantity::parse("1"));
  CHECK(value("3k") == 3'000);
  CHECK(value("3M") == 3'000'000);
  CHECK(value("3G") == 3'000'000'000);
  CHECK(value("3T") == 3'000'000'000'000);
  CHECK(value("3P") == 3'000'000'000'000'000);
  CHECK(value("3E") == 3'000'000'000'000'000'000);
  CHECK(value("3Ki") == 3LL << 10);
  CHECK(value("3Mi") == 3LL << 20);
  CHECK(value("3Gi") == 3LL << 30);
  CHECK(value("3Ti") == 3LL << 40);
  CHECK(value("3Pi") == 3LL << 50);
  CHECK(value("3Ei") == 3LL << 60);
}

TEST_CASE("quantity: a number has a sign and a fraction, and may lack either side of its dot") {
  CHECK(canonical("+5") == "5");
  CHECK(canonical("-5") == "-5");
  CHECK(canonical("1.") == "1");
  CHECK(canonical(".5") == "500m");
  CHECK(canonical("00.50") == "500m");
  CHECK(canonical("-0") == "0");
  CHECK(Quantity().to_string() == "0");
}

TEST_CASE("quantity: E is exa, and an exponent when digits follow") {
  CHECK(canonical("1E") == "1E");
  CHECK(canonical("1E3") == "1e3");
  CHECK(canonical("1E+3") == "1e3");
  CHECK(canonical("12e3") == "12e3");
  CHECK(canonical("12E-3") == "12e-3");
  CHECK(canonical("1e0") == "1");
  CHECK(value("1Ei") == 1LL << 60);
  CHECK(refusal("1e") == "unable to parse quantity's suffix");
}

TEST_CASE("quantity: canonical text has no fraction and the largest suffix of its family") {
  CHECK(canonical("1.5Gi") == "1536Mi");
  CHECK(canonical("1500m") == "1500m");
  CHECK(canonical("1000m") == "1");
  CHECK(canonical("0.5") == "500m");
  CHECK(canonical("1.500k") == "1500");
  CHECK(canonical("100000") == "100k");
  CHECK(canonical("1024Ki") == "1Mi");
  CHECK(canonical("1024") == "1024");
  CHECK(canonical("100e4") == "1e6");
  CHECK(canonical("10e-10") == "1e-9");
}

TEST_CASE("quantity: a binary quantity that is small or has a fraction is written in decimal") {
  CHECK(canonical("0.5Mi") == "512Ki");
  CHECK(canonical("0.5Ki") == "512");
  CHECK(canonical("0.9765625Ki") == "1k");
  CHECK(canonical("1.1Ki") == "1126400m");
  CHECK(canonical("1.0001Ki") == "1024102400u");
  CHECK(canonical("0.0001Ki") == "102400u");
  CHECK(canonical("-1.5Ki") == "-1536");
}

TEST_CASE("quantity: value and milli_value round away from zero") {
  CHECK(value("1500m") == 2);
  CHECK(value("1n") == 1);
  CHECK(value("100m") == 1);
  CHECK(value("-1500m") == -2);
  CHECK(milli("1500m") == 1500);
  CHECK(milli("1n") == 1);
  CHECK(milli("0.0001Ki") == 103);
  CHECK(milli("-1u") == -1);
  CHECK(milli("-1.0001Ki") == -1024103);  // apimachinery rounds this one towards zero
}

TEST_CASE("quantity: what is below a nano-unit becomes one") {
  CHECK(canonical("0.1n") == "1n");
  CHECK(canonical("-0.1n") == "-1n");
  CHECK(canonical("1e-999999999999999999") == "1e-9");
  CHECK(canonical("1.0000000001") == "1000000001n");
  CHECK(canonical("0.00000000000000000000") == "0");
  CHECK(canonical("0e999999999") == "0");
}

TEST_CASE("quantity: rounding is exact however many digits there are") {
  CHECK(canonical("1." + std::string(500, '0') + "1") == "1000000001n");
  CHECK(canonical("1." + std::string(500, '0')) == "1");
  CHECK(canonical(std::string(500, '0') + "7") == "7");
  CHECK(canonical("0." + std::string(500, '0') + "1e501") == "1");
  CHECK(canonical("0.0009765625Ki") == "1");
  CHECK(canonical("0.0009765625" + std::string(500, '0') + "1Ki") == "1000000001n");
  CHECK(canonical("123456789.123456789") == "123456789123456789n");
}

TEST_CASE("quantity: no quantity passes 2^63-1") {
  CHECK(value("9223372036854775807") == largest);
  CHECK(value("8Ei") == largest);
  CHECK(value("-8Ei") == -largest);
  CHECK(canonical("7.5Ei") == "7680Pi");
  // From here apimachinery keeps the number, against its documentation, and its Value overflows.
  CHECK(value("9223372036854775808") == largest);
  CHECK(value("100E") == largest);
  CHECK(value("-1e999999999999") == -largest);
  CHECK(value("1e9223372036854775807") == largest);
  CHECK(milli("9223372036854775807") == largest);
  CHECK(milli("9223372036854775.807") == largest);
  CHECK(milli("-8Ei") == std::numeric_limits<std::int64_t>::min());
}

TEST_CASE("quantity: what is malformed is refused in Kubernetes' words") {
  const std::string format =
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  for (const auto* text :
       {"", " 1", "1 ", "4GB", "1KI", "1.2.3", "0x10", "--1", "1e1.5", "1e5i", "1e3Ki", "1,5", "NaN"}) {
    CHECK(refusal(text) == format);
  }
  for (const auto* text : {"1K", "1e+", "1EE3", "1Mi5", "1k+", "1i", "1mm", "1ei5", "1e9999999999999999999"}) {
    CHECK(refusal(text) == "unable to parse quantity's suffix");
  }
  // apimachinery takes these for 0.
  for (const auto* text : {"-", "+", ".", "k", "-Mi"}) CHECK(refusal(text) == format);
}

TEST_CASE("quantity: comparing is by value") {
  CHECK(Quantity::parse("1Ki") == Quantity::parse("1024"));
  CHECK(Quantity::parse("1Ki") != Quantity::parse("1k"));
  CHECK(Quantity::parse("1e3") == Quantity::parse("1k"));
  CHECK(Quantity::parse("999m") < Quantity::parse("1"));
  CHECK(Quantity::parse("-1") < Quantity());
  CHECK(Quantity::parse("1G") < Quantity::parse("1Gi"));
}

TEST_CASE("quantity: a sum keeps the left side's suffixes unless that is zero") {
  CHECK((Quantity::parse("1Gi") + Quantity::parse("512Mi")).to_string() == "1536Mi");
  CHECK((Quantity::parse("1024") + Quantity::parse("1Ki")).to_string() == "2048");
  CHECK((Quantity() + Quantity::parse("2Ki")).to_string() == "2Ki");
  CHECK((Quantity::parse("500m") + Quantity::parse("-0.5")).to_string() == "0");
  CHECK((Quantity::parse("0.875Ki") + Quantity::parse("3200")).to_string() == "4Ki");
  // An amount below one doesn't count as binary.
  CHECK((Quantity::parse("0.0009Ki") + Quantity::parse("2047.0784")).to_string() == "2048");
  CHECK((Quantity::parse("8E") + Quantity::parse("8E")).value() == largest);
  CHECK((Quantity::parse("-8E") + Quantity::parse("-8E")).value() == -largest);
}

TEST_CASE("quantity: canonical text parses back as the same quantity") {
  std::mt19937_64 random(20240229);
  const std::vector<std::string> suffixes = {"n", "u",  "m",  "",   "k",  "M",  "G",  "T",   "P",
                                             "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e-5", "E+7"};
  for (int round = 0; round < 5000; ++round) {
    std::string text = random() % 4 == 0 ? "-" : "";
    text += std::to_string(random() >> random() % 64);
    if (random() % 2 == 0) text += str('.', random() >> random() % 64);
    text += suffixes[random() % suffixes.size()];
    const Quantity quantity = Quantity::parse(text);
    INFO(text);
    REQUIRE(Quantity::parse(quantity.to_string()) == quantity);
    REQUIRE(quantity.to_string().find('.') == std::string::npos);
    REQUIRE((quantity < Quantity()) == (text.front() == '-' && quantity != Quantity()));
  }
}

}  // namespace viaduct::model
