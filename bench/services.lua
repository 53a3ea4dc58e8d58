-- Each thread of wrk asks a service of its own: HOSTS is a list of host names, as wrk's argument.
local counter = 0

function setup(thread)
  thread:set("number", counter)
  counter = counter + 1
end

function init(args)
  local names = {}
  for name in args[1]:gmatch("[^,]+") do names[#names + 1] = name end
  wrk.headers["Host"] = names[number % #names + 1]
end
