using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus.Conformance;

/// <summary>Tests the health check: it reports whether the bus runs.</summary>
internal static class HealthScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "health",
            "The health check is healthy while the bus runs and unhealthy when it does not, so that orchestrators see the real state.",
            HealthAsync),
    ];

    private static async Task HealthAsync(TransportRun run)
    {
        var node = await run.StartAsync(bus =>
        {
            // The bus registers its own check. This call adds the service that runs it.
            bus.Services.AddHealthChecks();
            bus.Subscribe<ParcelSent>("all", (_, _, _) => Task.CompletedTask);
        });
        var health = node.Services.GetRequiredService<HealthCheckService>();
        var report = await health.CheckHealthAsync();
        Expect.Equal(
            HealthStatus.Healthy,
            report.Status,
            $"the health of a running bus ({string.Join("; ", report.Entries.Values.Select(entry => entry.Description))})");
        await node.StopAsync();
        Expect.Equal(HealthStatus.Unhealthy, (await health.CheckHealthAsync()).Status, "the health of a stopped bus");
    }
}
