// A server of Node's own.
require('http').createServer((_, answer) => answer.end('hello\n')).listen(process.env.PORT || 8080);
