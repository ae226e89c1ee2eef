// Sends a request's body so that no complete request ever carries the key of other bytes.
#pragma once

#include "agent/convert/converter.hpp"
#include "agent/convert/request_frame.hpp"
#include "agent/transfer/http_client.hpp"

namespace millrace {

// The end of the body (the frame's tail, or for a frame without one the last 64 KiB) is withheld
// until the bytes on their way have the payload's hash and the source is unchanged. Changed if
// they differ: the caller drops the exchange, and the request stays incomplete. Success as well
// when an answer came before the end. Errors of disk and network keep their kinds. Blocks on both.
Result<void> send_request(HttpExchange& exchange, const RequestFrame& frame, Payload& payload);

}  // namespace millrace
