using EventBus.Conformance;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// An instance of an application that has a private store, on a backend that shares subscriptions between instances.
/// </summary>
internal sealed class PrivateStoreNode : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly IHost host;
    private readonly Lines lines = new();

    private PrivateStoreNode(Action<EventBusBuilder> configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(lines);
        builder.Services.AddHealthChecks();
        builder.Services.AddEventBus(bus => configure(bus
            .Subscribe<PaperPrinted>("copies", (_, _, _) => Task.CompletedTask)
            .Subscribe("in-order", s => s.On<PaperPrinted>((_, _, _) => Task.CompletedTask).Ordered())));
        host = builder.Build();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Runs two instances that share a file, and a third one with a store of its own.</summary>
    /// <param name="shared">Configures the backend and the store of the first two instances.</param>
    /// <param name="alone">Configures the backend and the store of the third instance.</param>
    /// <param name="countsOrdered">True if the backend reports the consumers of an ordered subscription.</param>
    public static async Task RunAsync(Action<EventBusBuilder> shared, Action<EventBusBuilder> alone, bool countsOrdered)
    {
        await using var first = await StartAsync(shared);
        await using var second = await StartAsync(shared);
        await first.LineAsync("configure one store that all instances share");
        await using (var third = await StartAsync(alone))
        {
            foreach (var node in new[] { first, second, third })
            {
                await node.LineAsync("'copies'");
                if (countsOrdered)
                {
                    await node.LineAsync("'in-order'");
                }

                var entry = await node.CheckAsync();
                Assert.Equal(HealthStatus.Degraded, entry.Status);
                Assert.Contains(
                    countsOrdered ? "the subscriptions 'copies', 'in-order'" : "the subscription 'copies'",
                    entry.Description,
                    StringComparison.Ordinal);
                Assert.Contains("the same file of SQLite), or run one instance only", entry.Description, StringComparison.Ordinal);
            }
        }

        // The first two still consume the same subscriptions, and their store records both.
        foreach (var node in new[] { first, second })
        {
            await node.LineAsync("All instances that consume");
            Assert.Equal(HealthStatus.Healthy, (await node.CheckAsync()).Status);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await host.StopAsync(CancellationToken.None);
        host.Dispose();
    }

    private static async Task<PrivateStoreNode> StartAsync(Action<EventBusBuilder> configure)
    {
        var node = new PrivateStoreNode(configure);
        await node.host.StartAsync(Token);
        return node;
    }

    private async Task LineAsync(string text) => await lines.Until(text).WaitAsync(Patience, TimeProvider.System, Token);

    private async Task<HealthReportEntry> CheckAsync() =>
        (await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token)).Entries["eventbus"];

    [EventName("paper.printed")]
    private sealed record PaperPrinted(int Number);

    /// <summary>A log that waits for texts.</summary>
    private sealed class Lines : ILoggerProvider, ILogger
    {
        private readonly Lock gate = new();
        private readonly List<string> texts = [];
        private readonly List<(string Text, TaskCompletionSource Came)> waiting = [];

        public Task Until(string text)
        {
            var came = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (gate)
            {
                if (texts.Exists(each => each.Contains(text, StringComparison.Ordinal)))
                {
                    return Task.CompletedTask;
                }

                waiting.Add((text, came));
            }

            return came.Task;
        }

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
            Canary.Log.Log(logLevel, eventId, state, exception, formatter);
            var text = formatter(state, exception);
            lock (gate)
            {
                texts.Add(text);
                foreach (var (_, came) in waiting.Where(each => text.Contains(each.Text, StringComparison.Ordinal)))
                {
                    came.TrySetResult();
                }
            }
        }

        public void Dispose()
        {
        }
    }
}
