using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>
/// An application with an ordered subscription that appends each step with its own name to a list in Redis, until it is
/// killed.
/// </summary>
internal static class Walker
{
    // Long enough that a running process does not lose its lease on a machine under load.
    private static readonly TimeSpan ClaimAfter = TimeSpan.FromSeconds(3);

    public static RedisKey JournalOf(string prefix) => $"journal-{prefix}";

    public static async Task<int> RunAsync(string prefix, string name)
    {
        await using var journal = await ConnectionMultiplexer.ConnectAsync(TestRedis.Address);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(new LossJournal(
            lost => journal.GetDatabase().ListRightPush(JournalOf(prefix), $"{name}/{lost}", flags: CommandFlags.FireAndForget)));
        builder.Services.AddEventBus(bus => bus
            .UseRedis(TestRedis.Address, redis => (redis.KeyPrefix, redis.ClaimAfter) = (prefix, ClaimAfter))
            .Configure(options => options.ServiceName = "walk")
            .Subscribe("walker", s => s.Ordered().Concurrency(4).On<StepTaken>(async (step, _, _) =>
            {
                await journal.GetDatabase().ListRightPushAsync(JournalOf(prefix), $"{name}/{step.Key}/{step.Number}");

                // Some work, so that a backlog remains.
                for (var i = 0; i < 10; i++)
                {
                    await journal.GetDatabase().PingAsync();
                }
            })));
        using var host = builder.Build();
        await host.StartAsync();
        Console.WriteLine("ready");

        // The parent holds the other end of the pipe: if it ends, so does this process.
        await Console.In.ReadToEndAsync();
        return 1;
    }

    /// <summary>Records the loss of the lease or of deliveries: from then on events may be redelivered.</summary>
    private sealed class LossJournal(Action<string> write) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (eventId.Id is 207 or 213)
            {
                write("lost");
            }
        }

        public void Dispose()
        {
        }
    }
}
