-- How far a path is from an endpoint: the letters to change, part by part.

-- The fewest letters to insert, remove or replace. Source: Wagner and Fischer 1974, doi:10.1145/321796.321811
local function edit_distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local replaced = diagonal + (a:byte(i) == b:byte(j) and 0 or 1)
      diagonal = row[j]
      row[j] = math.min(replaced, row[j] + 1, row[j - 1] + 1)
    end
  end
  return row[#b]
end

local function split(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do parts[#parts + 1] = part end
  return parts
end

-- A variable such as {model} is at no distance from any value, and a last {model=**} from any number of them.
local function path_distance(path, template)
  local given, wanted = split(path), split(template)
  local sum = 0
  for i = 1, math.max(#given, #wanted) do
    local want = wanted[i] or ""
    if want:find("=**}", 1, true) and given[i] then return sum end
    if not (want:find("^{") and given[i]) then
      sum = sum + edit_distance(given[i] or "", want)
    end
  end
  return sum
end
