// A render worker whose "decoder" does what the input's first word says. With `--die-first FILE` it
// dies of its first request before it takes it up, unless the file is there, and makes the file.
// With `--fail` it ends at once, with status 1.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "platform/base/native_path.hpp"
#include "tests/serve/own_process.hpp"

int main(int argc, char** argv) {
  using millrace::native_path;
  using nlohmann::json;
  const std::string mode = argc > 1 ? argv[1] : "";
  const std::string die_first = argc > 2 && mode == "--die-first" ? argv[2] : "";
  if (mode == "--fail") return 1;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (!die_first.empty() && !std::filesystem::exists(die_first)) {
      std::ofstream(die_first).close();
      std::abort();
    }
    std::cout << std::endl;  // taken up
    const json request = json::parse(line);
    if (request.value("list_formats", false)) {
      std::cout << R"({"formats":[{"from":"txt","to":["up"]}],"vips":"0"})" << std::endl;
      continue;
    }
    std::ifstream in(native_path(request.at("input").get<std::string>()), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    in.close();  // before the answer: on Windows what is open cannot be taken away
    if (bytes.starts_with("crash")) std::abort();
    if (bytes.starts_with("exit")) {
      std::cerr << "decoder: out of luck\n";
      return 7;
    }
    if (bytes.starts_with("hang")) std::this_thread::sleep_for(std::chrono::hours{24});
    json reply;
    if (bytes.starts_with("broken")) {
      reply = {{"ok", false}, {"code", "broken_input"}, {"message", "not a picture"}};
    } else if (request.at("target") != "up") {
      reply = {{"ok", false}, {"code", "unsupported_route"}, {"message", "no such route"}};
    } else {
      std::ofstream out(native_path(request.at("output").get<std::string>()), std::ios::binary);
      out << "UP:" << bytes;
      if (bytes.starts_with("who")) out << millrace::test::own_process();
      out.close();
      reply = {
          {"ok", true}, {"content_type", "image/up"}, {"width", 1}, {"height", 2}, {"pages", 3}};
    }
    std::cout << (bytes.starts_with("garbage") ? std::string("{{{") : reply.dump()) << std::endl;
  }
}
