using EventBus;

namespace Checkout.Demo;

/// <summary>
/// Runs the scene <c>broker-away</c>, or one of its two shops that run in processes of their own.
/// </summary>
internal static class BrokerAwaySetup
{
    /// <summary>The number of orders that are held between charge and publish.</summary>
    public const int First = 20;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(110);

    // The user stops and starts the broker.
    private static readonly TimeSpan LimitByHand = TimeSpan.FromMinutes(10);

    /// <summary>Runs the scene until it ends, until Ctrl-C, or for a limited time.</summary>
    /// <returns>The exit code: 0 if every figure is as promised, 1 otherwise.</returns>
    public static async Task<int> RunAsync(Settings settings, ShopFactory build)
    {
        if (settings is { Part: not null, Folder: not null })
        {
            return await RunChildAsync(settings, build);
        }

        var isByHand = settings.Transport != "memory" && (settings.StopBroker is null || settings.StartBroker is null);
        using var limit = new CancellationTokenSource(isByHand ? LimitByHand : Limit);
        Console.CancelKeyPress += (_, stop) =>
        {
            stop.Cancel = true;
            limit.Cancel();
        };
        return await DemoRun.RunAsync(settings, "The scene", "Promised and measured", async (folder, promises) =>
        {
            try
            {
                await RunAsync(settings with { Folder = folder }, build, promises, limit.Token);
            }
            catch (Exception exception) when (limit.IsCancellationRequested)
            {
                throw new OperationCanceledException("it was stopped, or took too long.", exception);
            }
        });
    }

    private static async Task RunAsync(Settings settings, ShopFactory build, Promises promises, CancellationToken cancellationToken)
    {
        var ledger = await Ledger.CreateAsync(FileOf(settings), TimeProvider.System, cancellationToken);
        if (settings.Transport == "memory")
        {
            await new KilledShop(settings, ledger, promises).RunAsync(cancellationToken);
            return;
        }

        var gate = new Gate();
        await using var app = Build(settings, build, builder => HoldEvents(builder.Services, gate));
        await app.StartAsync(cancellationToken);
        try
        {
            await new StoppedBroker(settings, ledger, promises).RunAsync(app, gate, cancellationToken);
        }
        finally
        {
            gate.Open();
            await app.StopAsync(CancellationToken.None);
        }
    }

    /// <summary>Runs a shop until the parent closes its input, or ends, or kills this process.</summary>
    private static async Task<int> RunChildAsync(Settings settings, ShopFactory build)
    {
        try
        {
            var gate = new Gate();
            await using var app = Build(settings, build, builder => HoldRequests(builder.Services, gate, settings.Part));
            await app.StartAsync();
            ChildShop.ReportUrl(app.Urls.Single());
            var reports = ReportHeldAsync(gate, app.Lifetime.ApplicationStopping);
            await Console.In.ReadLineAsync();
            await app.StopAsync();
            await reports;
            return 0;
        }
        catch (Exception exception)
        {
            ChildShop.ReportError(exception.Message);
            return 1;
        }
    }

    private static async Task ReportHeldAsync(Gate gate, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var orderId in gate.HeldAsync(cancellationToken))
            {
                ChildShop.ReportHeld(orderId);
            }
        }
        catch (OperationCanceledException)
        {
            // The shop stops.
        }
    }

    private static WebApplication Build(Settings settings, ShopFactory build, Action<WebApplicationBuilder> also)
    {
        var app = build(FileOf(settings), $"checkout-demo-{Guid.NewGuid():N}", builder =>
        {
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            builder.Services.AddEventBus(bus => bus.Use<NoteArrivals>().Configure(options => options.ServiceName = "checkout-demo"));
            also(builder);
        });

        // The scene is about the order of the steps, not about their times.
        foreach (var service in app.Services.GetServices<RemoteService>())
        {
            service.Takes = TimeSpan.Zero;
        }

        return app;
    }

    private static void HoldRequests(IServiceCollection services, Gate gate, string? part)
    {
        if (part == "first")
        {
            HoldEvents(services, gate);
            services.AddSingleton<PaymentProvider>();
            services.AddSingleton<IPaymentProvider>(
                provider => new HeldProvider(provider.GetRequiredService<PaymentProvider>(), gate, First));
        }
    }

    // The later registration is the one that is resolved.
    private static void HoldEvents(IServiceCollection services, Gate gate)
    {
        var bus = services.Last(service => service.ServiceType == typeof(IEventBus) && !service.IsKeyedService);
        services.AddSingleton<IEventBus>(provider => new HeldBus((IEventBus)bus.ImplementationFactory!(provider), gate, First));
    }

    private static string FileOf(Settings settings) => Path.Combine(settings.Folder!, "checkout.db");
}
