namespace Checkout.Demo;

/// <summary>Runs the scene <c>order-history</c>: the read model of the orders, and with Redis its cache.</summary>
internal static class OrderHistoryScene
{
    /// <returns>The exit code: 0 if every figure is as promised, 1 otherwise.</returns>
    public static Task<int> RunAsync(Settings settings, ShopFactory build) =>
        DemoRun.RunAsync(settings, "The scene", "Promised and measured", async (folder, promises) =>
        {
            var (file, prefix) = (Path.Combine(folder, "checkout.db"), $"checkout-demo-{Guid.NewGuid():N}");
            var order = "";
            await using (var app = build(file, prefix, builder => DemoSetup.Add(builder, settings)))
            {
                // The scene is about what a query finds, not about the times of the services.
                foreach (var service in app.Services.GetServices<RemoteService>())
                {
                    service.Takes = TimeSpan.Zero;
                }

                await DemoSetup.RunAsync(app, async (shop, stop) => order = await RunAsync(app.Services, shop, promises, stop));
            }

            await using (var again = build(file, prefix, builder => DemoSetup.Add(builder, settings)))
            {
                await DemoSetup.RunAsync(again, (shop, stop) => ReadModelDemo.PublishedLaterAsync(order, shop, promises, stop));
            }
        });

    /// <returns>The order that is cancelled in the tables, and whose event is not published.</returns>
    private static async Task<string> RunAsync(
        IServiceProvider services,
        ShopClient shop,
        Promises promises,
        CancellationToken cancellationToken)
    {
        var story = new ReadModelDemo(services, shop, promises);
        await story.OrderAndCancelAsync(cancellationToken);
        await story.LateCopyAsync(cancellationToken);
        if (services.GetService<OrderCache>() is { } cache)
        {
            await new CacheDemo(services, cache, shop, promises).RunAsync(cancellationToken);
        }

        await story.RebuildAsync(cancellationToken);
        return await story.CancelWithoutEventAsync(cancellationToken);
    }
}
