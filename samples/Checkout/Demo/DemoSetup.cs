using System.Text;
using EventBus;

namespace Checkout.Demo;

/// <summary>Builds the shop with a SQLite file, a prefix of keys in Redis, and the additions of the demo.</summary>
internal delegate WebApplication ShopFactory(string file, string prefix, Action<WebApplicationBuilder> also);

/// <summary>
/// Adds the demo to the application, and runs it. Outside this folder only one call in Program.cs refers to it.
/// </summary>
internal static class DemoSetup
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    /// <summary>Runs the demo with its own stores until it ends, until Ctrl-C, or for 90 s.</summary>
    /// <returns>The exit code: 0 if every figure is as promised, 1 otherwise.</returns>
    public static async Task<int> RunAsync(Settings settings, ShopFactory build)
    {
        Console.OutputEncoding = Encoding.UTF8;
        switch (settings.Scene)
        {
            case "broker-away":
                return await BrokerAwaySetup.RunAsync(settings, build);
            case "order-history":
                return await OrderHistoryScene.RunAsync(settings, build);
            case "two-buses":
                return await TwoBusesScene.RunAsync(settings, build);
        }

        (TimeSpan Blocking, TimeSpan EventDriven)? times = null;
        var exitCode = await DemoRun.RunAsync(settings, "The demo", "8  Promised and measured", async (folder, promises) =>
        {
            var (file, prefix) = (Path.Combine(folder, "checkout.db"), $"checkout-demo-{Guid.NewGuid():N}");
            var measured = (TimeSpan.Zero, TimeSpan.Zero);
            await using (var app = build(file, prefix, builder => Add(builder, settings)))
            {
                await RunAsync(app, async (shop, stop) =>
                {
                    var checkout = new CheckoutDemo(app.Services, shop, promises);
                    await checkout.RunAsync(stop);
                    measured = checkout.Times;
                    await new DeliveryDemo(app.Services, promises).RunAsync(stop);
                });
            }

            await using (var again = build(file, prefix, builder => Add(builder, settings)))
            {
                await RunAsync(again, (_, stop) => new RestartDemo(again.Services, settings.Store, promises).RunAsync(stop));
            }

            times = measured;
        });
        if (times is { } ended)
        {
            Screen.Change(ended.Blocking, ended.EventDriven);
        }

        return exitCode;
    }

    /// <summary>Adds what the demo and a scene need: a quiet log, and a journal of the handlers.</summary>
    public static void Add(WebApplicationBuilder builder, Settings settings)
    {
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(settings).AddSingleton<Quiet>().AddSingleton<DemoPager>();
        builder.Services.AddSingleton<IPager>(services => services.GetRequiredService<DemoPager>());

        // A second call adds to the same bus.
        builder.Services.AddEventBus(bus => bus.Use<Journal>().Configure(options => options.ServiceName = "checkout-demo"));
    }

    /// <summary>Starts the shop, runs a part of the demo, and stops the shop.</summary>
    public static async Task RunAsync(WebApplication app, Func<ShopClient, CancellationToken, Task> story)
    {
        await app.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(app.Lifetime.ApplicationStopping);
        limit.CancelAfter(Limit);
        try
        {
            await story(new ShopClient(http, app.Services.GetRequiredService<TimeProvider>()), limit.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            var isStopped = app.Lifetime.ApplicationStopping.IsCancellationRequested;
            throw new TimeoutException(isStopped ? "it was stopped." : $"it took longer than {Limit.TotalSeconds} s.");
        }
        finally
        {
            await app.StopAsync();
        }
    }
}
