using EventBus.Redis.Tests;
using Xunit.Runner.InProc.SystemConsole;

return args is ["victim", var prefix, var finishes] ? await Victim.RunAsync(prefix, bool.Parse(finishes)) : await ConsoleRunner.Run(args);
