using EventBus;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Checkout.Tests;

#region factory
/// <summary>The whole shop in the process of the test. Only the mail server and the pager are fakes.</summary>
public sealed class TestShop : WebApplicationFactory<Program>
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("checkout-tests-");

    public FakeMail Mail { get; } = new();

    public FakePager Pager { get; } = new();

    /// <summary>Waits until no event is queued, runs or is due: no test needs to sleep.</summary>
    public Task WhenIdleAsync() =>
        Services.GetRequiredService<IEventBus>().WhenIdleAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseSetting("serve", "true").UseSetting("file", Path.Combine(folder.FullName, "shop.db"));
        builder.ConfigureLogging(logging => logging.ClearProviders());
        builder.ConfigureTestServices(services => services
            .AddSingleton<IMail>(Mail)
            .AddSingleton<IPager>(Pager)

            // After the settings of the shop: a dead letter at once, instead of after three retries.
            .PostConfigure<EventBusOptions>(bus => bus.Subscriptions["receipt"] = new() { Retry = new() { MaxRetryAttempts = 0 } }));
    }

    protected override IHost CreateHost(IHostBuilder builder)
    {
        var host = base.CreateHost(builder);
        foreach (var service in host.Services.GetServices<RemoteService>())
        {
            service.Takes = TimeSpan.Zero;
        }

        return host;
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        folder.Delete(recursive: true);
    }
}
#endregion
