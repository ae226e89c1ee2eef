// What a request may say about its output.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>

#include "platform/base/result.hpp"

namespace millrace::render {

// How width and height are meant. Without one of them the picture keeps its shape.
enum class Fit {
  ScaleDown,  // fits into the box, never enlarged (the usual)
  Contain,    // fits into the box, enlarged if it is smaller
  Cover,      // fills the box, what sticks out is cut off evenly
  Fill,       // is the box; the shape is lost
};

enum class Metadata { Keep, Strip };  // the orientation is applied in any case

// An option that has no meaning for a target is ignored, since a folder has one set of options for
// all of its targets.
struct Options {
  std::optional<int> quality;  // 1 to 100
  std::optional<int> width;    // pixels
  std::optional<int> height;
  Fit fit = Fit::ScaleDown;
  Metadata metadata = Metadata::Keep;
  std::array<double, 3> background{255, 255, 255};  // behind transparency where there is none
  bool lossless = false;
  std::optional<int> dpi;   // of a page that is drawn (pdf, svg) or made (pdf)
  std::optional<int> page;  // this one, counted from 1
  bool all_pages = false;
};

using OptionTexts = std::map<std::string, std::string>;

// Input with a message that names the option, what is permitted, and for an unknown one the
// nearest that exists.
Result<Options> parse_options(const OptionTexts& texts);

}  // namespace millrace::render
