using OpenTelemetry.Metrics;

namespace Checkout;

/// <summary>Shows operators the state of the shop: health checks, and metrics for Prometheus.</summary>
public static class Monitoring
{
    public static void AddMonitoring(this IServiceCollection services)
    {
        services.AddHealthChecks();
        #region metrics
        services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter("EventBus").AddPrometheusExporter());
        #endregion
    }

    public static void MapMonitoring(this WebApplication app)
    {
        app.MapHealthChecks("/health");
        app.MapPrometheusScrapingEndpoint();
    }
}
