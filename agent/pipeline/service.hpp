// One [converter.NAME] at work: the converter and the settings it was made from. Jobs hold it until
// they end, so that a reload never changes a running job; that is why it is shared.
#pragma once

#include <memory>
#include <string>

#include "agent/convert/converter.hpp"
#include "agent/queue/gate.hpp"
#include "config/settings.hpp"

namespace millrace {

struct Service {
  ConverterSettings settings;
  std::unique_ptr<Converter> converter;
  const std::string& account() const { return converter->account(); }
};

// What its account's gate goes by.
GateRules gate_rules_of(const ConverterSettings& settings, std::optional<int> workers_asked_for);

}  // namespace millrace
