-- Who knocks at a door that is not there is told which one is meant. ENDPOINTS stands before this file.

local MAX_SHOWN_BYTES = 200

-- The caller's words as they may be repeated: short, and printable letters only.
local function shown(text)
  if #text > MAX_SHOWN_BYTES then text = text:sub(1, MAX_SHOWN_BYTES) .. "..." end
  return (text:gsub("[^%w%-._~:/@!$&'()*+,;=%%]", function(letter)
    return string.format("%%%02X", letter:byte())
  end))
end

-- The path as the caller may have meant it: below one /v1, in small letters, without a slash at its end.
local function tidied(path)
  path = ("/" .. path:lower()):gsub("//+", "/"):gsub("/$", "")
  return "/v1/" .. path:gsub("^.*/v1/", ""):gsub("^/", "")
end

-- How far a path may be from an endpoint to be taken for it: half of the letters that are no variables.
local function reach(template)
  return #template:gsub("^/v1/", ""):gsub("{.-}", "") / 2
end

-- The endpoint that a path is meant for, unless it is too far from every one to guess.
local function nearest(method, path)
  path = tidied(path:sub(1, MAX_SHOWN_BYTES))
  local best, least = nil, math.huge
  for _, endpoint in ipairs(ENDPOINTS) do
    local distance = path_distance(path, endpoint.template)
    if distance <= reach(endpoint.template) then
      if endpoint.method ~= method then distance = distance + 0.5 end
      if distance < least then best, least = endpoint, distance end
    end
  end
  return best
end

local function methods_of(path)
  local methods = {}
  for _, endpoint in ipairs(ENDPOINTS) do
    if path:find(endpoint.pattern) then methods[#methods + 1] = endpoint.method end
  end
  return methods
end

local function contains(list, value)
  for _, item in ipairs(list) do
    if item == value then return true end
  end
  return false
end

local function unknown_path(method, path)
  local message = "Unknown request URL: " .. shown(method) .. " " .. shown(path) .. ". "
  local meant = nearest(method, path)
  if meant then
    message = message .. "Did you mean " .. meant.method .. " " .. meant.path .. "?"
  else
    message = message .. "GET /v1/endpoints lists what there is."
  end
  return { [":status"] = "404" }, message
end

local function wrong_method(method, path, methods)
  local meant = {}
  for i, allowed in ipairs(methods) do meant[i] = allowed .. " " .. path end
  local message = shown(method) .. " is not allowed here. Did you mean " .. table.concat(meant, " or ") .. "?"
  return { [":status"] = "405", ["allow"] = table.concat(methods, ", ") }, message
end

-- Headers and words of the answer to a call that no endpoint takes; nil for one that an endpoint takes.
local function wrong_door(method, target)
  local path = target:match("^[^?#]*")
  local methods = methods_of(path)
  if contains(methods, method) then return nil end
  if #methods == 0 then return unknown_path(method, path) end
  if method == "OPTIONS" then
    return { [":status"] = "204", ["allow"] = table.concat(methods, ", ") .. ", OPTIONS" }, ""
  end
  return wrong_method(method, shown(path), methods)
end
