// A render worker whose "decoder" does what the input's first word says.
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

int main() {
  using nlohmann::json;
  std::string line;
  while (std::getline(std::cin, line)) {
    const json request = json::parse(line);
    if (request.value("list_formats", false)) {
      std::cout << R"({"formats":[{"from":"txt","to":["up"]}],"vips":"0"})" << std::endl;
      continue;
    }
    std::ifstream in(request.at("input").get<std::string>(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    if (bytes.starts_with("crash")) std::abort();
    if (bytes.starts_with("exit")) {
      std::cerr << "decoder: out of luck\n";
      return 7;
    }
    if (bytes.starts_with("hang")) ::pause();
    json reply;
    if (bytes.starts_with("broken")) {
      reply = {{"ok", false}, {"code", "broken_input"}, {"message", "not a picture"}};
    } else if (request.at("target") != "up") {
      reply = {{"ok", false}, {"code", "unsupported_route"}, {"message", "no such route"}};
    } else {
      std::ofstream out(request.at("output").get<std::string>(), std::ios::binary);
      out << "UP:" << bytes;
      if (bytes.starts_with("who")) out << ::getpid();
      out.close();
      reply = {
          {"ok", true}, {"content_type", "image/up"}, {"width", 1}, {"height", 2}, {"pages", 3}};
    }
    std::cout << (bytes.starts_with("garbage") ? std::string("{{{") : reply.dump()) << std::endl;
  }
}
