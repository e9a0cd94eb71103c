using System.Text.Json;
using EventBus;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;

namespace Checkout.Tests;

/// <summary>Tests the page on which operators read what the health check of the bus has found.</summary>
public sealed class HealthReportTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Report_OfARunningBus_NamesItsCheckAndStatus()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseTestServer();
        builder.Services.AddRoutingCore().AddHealthChecks();
        builder.Services.AddEventBus(bus => bus.UseInMemory());
        await using var app = builder.Build();

        #region report
        app.MapHealthChecks("/health/report", new()
        {
            Predicate = check => check.Tags.Contains("ready"),
            ResponseWriter = (context, report) => context.Response.WriteAsJsonAsync(report.Entries.ToDictionary(
                entry => entry.Key,
                entry => new { Status = entry.Value.Status.ToString(), entry.Value.Description, entry.Value.Data })),
        });
        #endregion
        await app.StartAsync(Token);

        using var client = app.GetTestClient();
        using var page = JsonDocument.Parse(await client.GetStringAsync(new Uri("/health/report", UriKind.Relative), Token));

        Assert.Equal("Healthy", page.RootElement.GetProperty("eventbus").GetProperty("status").GetString());
        await app.StopAsync(Token);
    }
}
