-- A service's error as OpenAI's object: what the service wrote, or else what its gRPC status says.

local UNEXPECTED = "The server had an error while processing the request. The log has more under its request id."

local function error_type(status)
  if status == 429 then return "requests" end
  return status >= 500 and "server_error" or "invalid_request_error"
end

-- The object for a status without one. `message` is the inside of a JSON string, escaped by the transcoder.
-- What nobody expected is told without detail.
local function error_object(status, message)
  if status == 500 then message = UNEXPECTED end
  return '{"error":{"message":"' .. message .. '","type":"' .. error_type(status) .. '","param":null,"code":null}}'
end

-- Headers that were meant for the gateway and not for a REST client.
local INNER_HEADERS = { "grpc-status", "grpc-message", "grpc-accept-encoding", "grpc-encoding", "x-openai-error" }

local function strip(headers)
  for _, name in ipairs(INNER_HEADERS) do headers:remove(name) end
end

-- Puts the service's error object into the body, where the transcoder has written a google.rpc.Status. A body of
-- any other form, or none, is an answer of Envoy itself: it has its shape already.
local function shape_error(handle, status, object)
  local body = handle:body(true)
  local text = body:length() > 0 and body:getBytes(0, body:length()) or ""
  local code, message = text:match('^{"code":(%d+),"message":"(.*)","details":%[.*%]}$')
  if not code then return end
  handle:streamInfo():dynamicMetadata():set("switchboard", "grpc_status", tonumber(code))
  local trailers = handle:trailers()
  object = object or (trailers and trailers:get("x-openai-error")) or error_object(status, message)
  local length = body:setBytes(object)
  local headers = handle:headers()
  headers:replace("content-type", "application/json")
  headers:replace("content-length", length)
end
