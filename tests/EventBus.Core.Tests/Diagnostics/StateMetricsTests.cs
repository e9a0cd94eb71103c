using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Tests the metrics of what the stores and the backend of a whole bus hold.</summary>
public sealed class StateMetricsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Metrics_OfABusInMemory_ShowItsState()
    {
        var time = new FakeTimeProvider();
        using var measured = new MeasuredState();
        measured.Observe();
        var release = new TaskCompletionSource();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .Subscribe("dead", s => s.Retry(0).On<StateMeasured>((_, _, _) => throw new IOException()))
                .Subscribe("waiting", s => s.Retry(1, TimeSpan.FromHours(1)).On<StateMeasured>((_, _, _) => throw new IOException()))
                .Subscribe<StateMeasured>("busy", (_, _, _) => release.Task),
            time,
            services => services.AddSingleton<IMeterFactory>(measured));
        try
        {
            await running.Bus.PublishAsync(new StateMeasured(), Token);
            await running.Bus.PublishAsync(new StateMeasured(), new PublishOptions { Delay = TimeSpan.FromHours(2) }, Token);
            string[] expected =
            [
                "backlog.consumers busy 1",
                "backlog.consumers dead 1",
                "backlog.consumers waiting 1",
                "backlog.in_flight busy 1",
                "backlog.in_flight dead 0",
                "backlog.in_flight waiting 0",
                "backlog.waiting busy 0",
                "backlog.waiting dead 0",
                "backlog.waiting waiting 0",
                "dead_letters.stored busy 0",
                "dead_letters.stored dead 1",
                "dead_letters.stored waiting 0",
                "events.deferred busy 0",
                "events.deferred dead 0",
                "events.deferred waiting 0",
                "events.delayed 1",
                "events.parked busy 0",
                "events.parked dead 0",
                "events.parked waiting 0",
                "retries.oldest_age busy 0",
                "retries.oldest_age dead 0",
                "retries.oldest_age waiting 0",
                "retries.waiting busy 0",
                "retries.waiting dead 0",
                "retries.waiting waiting 1",
            ];
            string[] shown = [];
            await time.AdvanceUntilAsync(
                TimeSpan.FromSeconds(1),
                () => "the state is shown: " + string.Join(", ", shown),
                () => Task.FromResult(expected.SequenceEqual(shown = Show(measured))),
                Token);
        }
        finally
        {
            release.SetResult();
        }
    }

    private static string[] Show(MeasuredState measured) =>
        [.. measured.Collect().Select(each => $"{each.Key} {each.Value}").Order(StringComparer.Ordinal)];

    private sealed record StateMeasured;
}
