-- Each request has a target and a header of its own, as behind a proxy that numbers what it passes on.
local number = 0

function request()
  number = number + 1
  wrk.headers["X-Request-Id"] = string.format("%032x", number * 7919)
  return wrk.format("GET", wrk.path .. "?item=" .. number)
end
