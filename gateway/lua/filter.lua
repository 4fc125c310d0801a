-- The two doors that Envoy opens into this script. A gRPC client's call passes both untouched.

local function is_grpc(headers)
  local kind = headers:get("content-type")
  return kind ~= nil and kind:find("application/grpc", 1, true) == 1
end

function envoy_on_request(handle)
  local headers = handle:headers()
  if is_grpc(headers) then return end
  local target = headers:get(":path") or "" -- CONNECT has none
  local answer, words = wrong_door(headers:get(":method"), target)
  if answer then handle:respond(answer, words) end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  if is_grpc(headers) then return end
  local status, object = tonumber(headers:get(":status")), headers:get("x-openai-error")
  strip(headers) -- before body(): once it has been read, a removal has no effect
  if status >= 400 then shape_error(handle, status, object) end
end
