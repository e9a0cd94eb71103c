using EventBus;
using EventBus.Kafka.Tests;
using Xunit.Runner.InProc.SystemConsole;

return args is ["victim", var name, var protocol, var file]
    ? await Victim.RunAsync(name, Enum.Parse<KafkaGroupProtocol>(protocol), file)
    : await ConsoleRunner.Run(args);
