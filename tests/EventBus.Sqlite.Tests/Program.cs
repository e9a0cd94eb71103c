using EventBus.Sqlite.Tests;
using Xunit.Runner.InProc.SystemConsole;

return args is ["victim", var file, var first] ? await Victim.RunAsync(file, int.Parse(first)) : await ConsoleRunner.Run(args);
