using EventBus;

namespace Checkout.Demo;

/// <summary>Runs the part of the demo after a restart of the shop, and shows what its stores still know.</summary>
internal sealed class RestartDemo(IServiceProvider services, string store, Promises promises)
{
    private readonly IEventBus bus = services.GetRequiredService<IEventBus>();
    private readonly Journal journal = services.GetRequiredService<Journal>();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        Screen.Title("7  The shop is started again");
        var (order, options) = await DeliveryDemo.PartnerOrderAsync(1, services.GetRequiredService<OrderBook>(), cancellationToken);
        await bus.PublishAsync(order, options, cancellationToken);
        await services.GetRequiredService<Quiet>().UntilAsync(
            () => Runs("recommendations") == 1 && (store != "memory" || Runs("loyalty") == 1),
            "the work for the copy",
            cancellationToken);
        var handled = Runs("loyalty");
        var credited = await services.GetRequiredService<IPointsLedger>().CountAsync(order.OrderId, cancellationToken);
        Screen.Text($"The partner publishes order {order.OrderId} once more. Loyalty "
            + $"{(handled == 0 ? "does not handle it again" : "handles it again")}.");
        if (store == "memory")
        {
            Screen.Text(
                "In memory the bus has forgotten what was handled, as well as retries and dead letters.",
                "With --store sqlite or --store redis it still knows them.");
            promises.Add("after a restart, stores in memory know nothing: handled again", handled, 1);
            return;
        }

        var place = store == "sqlite" ? "the SQLite file" : "Redis";
        Screen.Text($"The bus kept the handled events in {place}; it keeps retries and dead letters there too.");
        promises.Add("after a restart the event is still known: handled again", handled, 0);
        if (store == "sqlite")
        {
            Screen.Text($"The same file has {credited} line with its points: mark and line are one commit.");
            promises.Add("  and its points are in the file, once", credited, 1);
        }

        int Runs(string subscription) => journal.For(order.OrderId).Count(run => run.Subscription == subscription);
    }
}
