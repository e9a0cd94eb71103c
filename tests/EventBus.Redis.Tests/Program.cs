using EventBus.Redis.Tests;
using Xunit.Runner.InProc.SystemConsole;

return args switch
{
    ["victim", var prefix, var finishes] => await Victim.RunAsync(prefix, bool.Parse(finishes)),
    ["walker", var prefix, var name] => await Walker.RunAsync(prefix, name),
    _ => await ConsoleRunner.Run(args),
};
