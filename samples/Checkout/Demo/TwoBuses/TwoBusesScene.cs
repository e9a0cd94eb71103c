using EventBus;

namespace Checkout.Demo;

/// <summary>
/// Runs the scene <c>two-buses</c>: the shop forwards the events of its orders to a second bus, of the analysts.
/// </summary>
internal static class TwoBusesScene
{
    private const string Analytics = "analytics";

    /// <returns>The exit code: 0 if every figure is as promised, 1 otherwise.</returns>
    public static Task<int> RunAsync(Settings settings, ShopFactory build) =>
        DemoRun.RunAsync(settings, "The scene", "Promised and measured", async (folder, promises) =>
        {
            var (file, prefix) = (Path.Combine(folder, "checkout.db"), $"checkout-demo-{Guid.NewGuid():N}");
            var (published, received) = (new Arrivals(), new Arrivals());
            await using var app = build(file, prefix, builder =>
            {
                DemoSetup.Add(builder, settings);
                AddBuses(builder.Services, settings, published, received);
            });
            await DemoSetup.RunAsync(app, async (shop, stop) =>
            {
                await OrderAsync(app.Services, shop, stop);
                await ShowAsync(app.Services, published, received, stop);
                Compare(settings, promises, published.All, received.All);
            });
        });

    private static void AddBuses(IServiceCollection services, Settings settings, Arrivals published, Arrivals received)
    {
        services.AddEventBus(bus =>
        {
            bus.Forward("order.*", to: Analytics);

            // Only for the comparison: what a subscription of the shop itself receives.
            bus.SubscribePattern("comparison", "order.*", published.NoteAsync, s =>
            {
                if (settings.Transport != "redis-pubsub")
                {
                    s.Ordered();
                }
            });
        });

        // This bus knows no event type of the shop. It could as well use Kafka, on which analysts replay events.
        services.AddKeyedEventBus(
            Analytics,
            bus => bus.UseInMemory().SubscribePattern("sales", "order.*", received.NoteAsync, s => s.Ordered()));
    }

    private static async Task OrderAsync(IServiceProvider services, ShopClient shop, CancellationToken cancellationToken)
    {
        Screen.Title("The bus of the shop");
        var bus = services.GetRequiredService<IEventBus>();
        var orders = new List<string>();
        for (var i = 0; i < 2; i++)
        {
            var answer = await shop.CheckoutAsync("/checkout", cancellationToken);
            orders.Add(answer.OrderId ?? throw new InvalidOperationException($"The checkout was refused: {answer.Problem}"));
            Screen.Answer(answer, $"order {answer.OrderId}");
        }

        foreach (var order in orders)
        {
            await bus.PublishAsync(new OrderPaid(order), cancellationToken);
            await bus.PublishAsync(new OrderShipped(order), cancellationToken);
        }

        Screen.Text("", "The bank and the warehouse publish order.paid and order.shipped for both.");
    }

    private static async Task ShowAsync(
        IServiceProvider services,
        Arrivals published,
        Arrivals received,
        CancellationToken cancellationToken)
    {
        Screen.Title("The bus of the analysts");
        var quiet = services.GetRequiredService<Quiet>();
        await quiet.UntilAsync(() => published.All.Count >= 6 && received.All.Count >= 6, "the forwarding", cancellationToken);
        await services.GetRequiredKeyedService<IEventBus>(Analytics).WhenIdleAsync(TimeSpan.FromSeconds(20), cancellationToken);
        foreach (var arrival in received.All.OrderBy(arrival => arrival.Key, StringComparer.Ordinal))
        {
            Screen.Text($"order {arrival.Key}   {arrival.Name,-14} {arrival.Body}");
        }
    }

    private static void Compare(Settings settings, Promises promises, IReadOnlyList<Arrival> published, IReadOnlyList<Arrival> received)
    {
        promises.Add("events of two orders that the shop published", published.DistinctBy(arrival => arrival.Id).Count(), 6);
        promises.Add("  received on the second bus", received.DistinctBy(arrival => arrival.Id).Count(), 6);
        promises.Add("  with the same id, name, key, time and bytes", received.ToHashSet().SetEquals(published));
        promises.Add("  in the order of each key", settings.Transport == "redis-pubsub" || ByKey(received) == ByKey(published));

        // The sort keeps the order of the events of a key.
        static string ByKey(IEnumerable<Arrival> arrivals) => string.Join(
            ' ',
            from arrival in arrivals.DistinctBy(arrival => arrival.Id)
            orderby arrival.Key
            select arrival.Id);
    }
}
