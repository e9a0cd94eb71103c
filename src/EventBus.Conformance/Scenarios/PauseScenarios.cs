using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus.Conformance;

/// <summary>Tests the pause of a subscription by an operator.</summary>
internal static class PauseScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "pause-resume",
            "A paused subscription begins no event while others continue, shows in the health check, and loses nothing, "
                + "so that an operator can stop a handler without stopping the service.",
            PauseAsync),
    ];

    private static async Task PauseAsync(TransportRun run)
    {
        const int Count = 20;
        var paused = new Ledger<int>();
        var other = new Ledger<int>();
        var node = await run.StartAsync(bus =>
        {
            bus.Services.AddHealthChecks();
            bus.Subscribe("paused", s => run.OrderWherePossible(s).On<ParcelSent>((e, _, _) => paused.RecordAsync(e.Number)))
                .Subscribe<ParcelSent>("other", (e, _, _) => other.RecordAsync(e.Number));
        });
        var subscriptions = node.Services.GetRequiredService<ISubscriptionManager>();
        await PublishAsync(0);
        await paused.WaitForCountAsync(1, "the event before the pause is handled");

        await subscriptions.PauseAsync("paused");
        await subscriptions.PauseAsync("paused");
        for (var i = 1; i < Count; i++)
        {
            await PublishAsync(i);
        }

        await other.WaitForCountAsync(Count, "the other subscription handles an event during the pause");
        Expect.Sequence([0], paused.Items, "the events that a paused subscription handled");
        Expect.Sequence(
            [("other", false), ("paused", true)],
            (await subscriptions.ListAsync()).Select(info => (info.Name, info.IsPaused)),
            "the subscriptions during the pause");
        var health = (await node.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["eventbus"];
        Expect.That(
            health.Status == HealthStatus.Degraded && health.Description?.Contains("paused", StringComparison.Ordinal) == true,
            "a degraded health check that names the subscription",
            health.Description);

        await subscriptions.ResumeAsync("paused");
        await subscriptions.ResumeAsync("paused");
        await paused.WaitForCountAsync(Count, "an event is handled after the pause");
        await node.WhenIdleAsync();
        Expect.Sequence(Enumerable.Range(0, Count), paused.Items.Order(), "the events that were handled in the end, each once");
        Expect.That(!(await subscriptions.ListAsync()).Any(info => info.IsPaused), "no subscription is paused in the end", "one is");
        var unknown = await Expect.ThrowsAsync<ArgumentException>(
            () => subscriptions.PauseAsync("unknown"), "an error for an unknown subscription");
        Expect.That(
            unknown.Message.Contains("'paused'", StringComparison.Ordinal),
            "an error that names the subscriptions",
            unknown.Message);

        Task PublishAsync(int number) => node.Bus.PublishAsync(new ParcelSent(number), new PublishOptions { Key = $"{number % 3}" });
    }
}
