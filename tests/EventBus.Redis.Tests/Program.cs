using EventBus.Redis.Tests;
using Xunit.Runner.InProc.SystemConsole;

return args is ["victim", var prefix] ? await Victim.RunAsync(prefix) : await ConsoleRunner.Run(args);
