using EventBus.Proof;

// Usage: dotnet run --project tests/EventBus.Proof -c Release -- <proof>... | all
// [--transport redis|redis-pubsub|rabbitmq|rabbitmq-classic|kafka|...] [--store sqlite|redis|memory|native]
// [--quick] [--seed N] [--keep]
return args is [VictimSettings.Command, var settings] ? await Victim.RunAsync(VictimSettings.Read(settings)) : await Runner.RunAsync(args);
