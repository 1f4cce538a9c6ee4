#include "base/environment.h"

#include <catch2/catch.hpp>

namespace viaduct {

TEST_CASE("environment: it is read from NAME=value strings, sorted by name") {
  const char* const strings[] = {"PATH=/bin:/usr/bin", "EMPTY=", "A=b=c", "no equals sign", nullptr};
  const Environment environment = Environment::of_process(strings);
  CHECK(environment.as_strings() == std::vector<std::string>{"A=b=c", "EMPTY=", "PATH=/bin:/usr/bin"});
  CHECK(Environment::of_process(nullptr).variables().empty());
}

TEST_CASE("environment: an empty variable is there, a missing one is not") {
  Environment environment;
  environment.set("EMPTY", "");
  CHECK(environment.get("EMPTY") == "");
  CHECK(environment.has("EMPTY"));
  CHECK(environment.get_or("EMPTY", "x").empty());
  CHECK_FALSE(environment.get("OTHER"));
  CHECK_FALSE(environment.has("OTHER"));
  CHECK(environment.get_or("OTHER", "x") == "x");
}

TEST_CASE("environment: set replaces, set_default does not, unset removes") {
  Environment environment;
  environment.set("A", "1");
  environment.set("A", "2");
  environment.set_default("A", "3");
  environment.set_default("B", "4");
  CHECK(environment.as_strings() == std::vector<std::string>{"A=2", "B=4"});
  environment.unset("A");
  environment.unset("A");
  CHECK(environment.as_strings() == std::vector<std::string>{"B=4"});
}

TEST_CASE("environment: a copy is a value of its own") {
  Environment environment;
  environment.set("A", "1");
  Environment copy = environment;
  copy.set("A", "2");
  CHECK(environment.get("A") == "1");
}

TEST_CASE("environment: C strings end with a null and own their text") {
  const CStrings strings({"a", "", std::string(100, 'x')});
  REQUIRE(strings.data()[3] == nullptr);
  CHECK(std::string(strings.data()[0]) == "a");
  CHECK(std::string(strings.data()[1]).empty());
  CHECK(std::string(strings.data()[2]) == std::string(100, 'x'));
  CHECK(CStrings({}).data()[0] == nullptr);
}

}  // namespace viaduct
