using EventBus;

namespace Checkout.Demo;

/// <summary>Runs the part of the demo in which events arrive several times, and in the wrong order.</summary>
internal sealed class DeliveryDemo(IServiceProvider services, Promises promises)
{
    private const int AtOnce = 3;
    private const int Later = 2;

    private static readonly string[] Kinds = ["order.placed", "order.paid", "order.shipped"];

    private readonly TimeProvider time = services.GetRequiredService<TimeProvider>();
    private readonly IEventBus bus = services.GetRequiredService<IEventBus>();
    private readonly Quiet quiet = services.GetRequiredService<Quiet>();
    private readonly OrderBook book = services.GetRequiredService<OrderBook>();
    private readonly Fulfilments fulfilments = services.GetRequiredService<Fulfilments>();
    private readonly DataWarehouse warehouse = services.GetRequiredService<DataWarehouse>();
    private readonly IPointsLedger ledger = services.GetRequiredService<IPointsLedger>();
    private readonly Journal journal = services.GetRequiredService<Journal>();

    /// <summary>
    /// Adds an order of a partner to the shop. The partner sends its event several times, with the same event id and
    /// with nothing but the id of the order.
    /// </summary>
    public static async Task<(OrderPlaced Order, PublishOptions Options)> PartnerOrderAsync(
        int number,
        OrderBook book,
        CancellationToken cancellationToken)
    {
        var orderId = $"{2000 + number}";
        await book.AddAsync(new Order(orderId, "ada", ShopClient.Cart.Items, 59.90m, DateTimeOffset.UnixEpoch), cancellationToken);
        return (new OrderPlaced(orderId), new PublishOptions { EventId = $"partner-order-{orderId}" });
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await CopiesAsync(cancellationToken);
        await WrongOrderAsync(cancellationToken);
    }

    private async Task CopiesAsync(CancellationToken cancellationToken)
    {
        Screen.Title("5  Every event arrives five times");
        var orders = new List<(OrderPlaced Order, PublishOptions Options)>();
        for (var number = 1; number <= 3; number++)
        {
            orders.Add(await PartnerOrderAsync(number, book, cancellationToken));
        }

        await Task.WhenAll(
            from copy in Enumerable.Range(0, AtOnce)
            from order in orders
            select bus.PublishAsync(order.Order, order.Options, cancellationToken));
        await quiet.UntilAsync(() => Handled(AtOnce), "the work for the first copies", cancellationToken);
        for (var copy = 0; copy < Later; copy++)
        {
            foreach (var (order, options) in orders)
            {
                await bus.PublishAsync(order, options, cancellationToken);
            }
        }

        await quiet.UntilAsync(() => Handled(AtOnce + Later), "the work for all copies", cancellationToken);
        Screen.Text(
            $"A partner publishes each order {AtOnce} times at once and {Later} times later, under one event id.",
            "The event has only the order's id: the handlers fetch the rest. Six of them are .Idempotent(),",
            "recommendations are not:",
            "",
            $"{"",-12}{"copies",8}{"handled by",18}{"points",10}{"handled by",20}",
            $"{"order",-12}{"arrived",8}{"loyalty",18}{"credited",10}{"recommendations",20}");
        var (credited, runs) = (new List<int>(), new List<HandlerRun>());
        foreach (var (order, _) in orders)
        {
            credited.Add(await ledger.CountAsync(order.OrderId, cancellationToken));
            runs.AddRange(journal.For(order.OrderId));
            var (loyalty, recommended) = (Runs("loyalty", order), Runs("recommendations", order));
            Screen.Text($"{order.OrderId,-12}{AtOnce + Later,8}{loyalty,16} x{credited[^1],8} x{recommended,18} x");
        }

        promises.Add(
            $"of {AtOnce + Later} copies of each order, loyalty handles one",
            runs.Count(run => run.Subscription == "loyalty"),
            orders.Count);
        promises.Add("  and points are credited once for each order", credited.Count(count => count == 1), orders.Count);
        promises.Add(
            "  because its subscription is idempotent: the other ran for all",
            runs.Count(run => run.Subscription == "recommendations"),
            orders.Count * (AtOnce + Later));

        bool Handled(int copies) =>
            orders.TrueForAll(order => Runs("recommendations", order.Order) == copies && Runs("loyalty", order.Order) > 0);
    }

    private async Task WrongOrderAsync(CancellationToken cancellationToken)
    {
        const string OrderId = "3001";
        Screen.Title("6  The parcel is faster than the bank");
        var start = time.GetTimestamp();
        var timeline = new Timeline(time, start);
        timeline.Event("order.shipped arrives", start, "");
        await bus.PublishAsync(new OrderShipped(OrderId), cancellationToken);
        await quiet.UntilAsync(() => fulfilments.LooksAt(OrderId) > 0, "the guard's look at order.shipped", cancellationToken);
        var early = Fulfilled(OrderId).Count;
        timeline.Event(
            "fulfilment",
            time.GetTimestamp(),
            early == 0 ? "order.shipped waits: the guard ShippedAfterPaid misses order.paid" : "order.shipped was handled too early");

        timeline.Event("order.paid arrives", time.GetTimestamp(), "");
        await bus.PublishAsync(new OrderPaid(OrderId), cancellationToken);
        await quiet.UntilAsync(() => Fulfilled(OrderId).Count == 2, "the end of the order", cancellationToken);
        var runs = Fulfilled(OrderId);
        foreach (var run in runs)
        {
            timeline.Event("fulfilment", run.End, $"{run.EventName} is handled");
        }

        promises.Add("order.shipped waits for order.paid", early == 0);
        promises.Add(
            "  and the events are handled in order: paid, shipped",
            runs.Select(run => run.EventName).SequenceEqual(["order.paid", "order.shipped"]));
        await quiet.UntilAsync(() => Collected().All(count => count > 0), "the events in the warehouse", cancellationToken);
        promises.Add("the warehouse has all kinds of events, by a pattern", Collected().Count(count => count > 0), Kinds.Length);

        IEnumerable<int> Collected() => Kinds.Select(warehouse.CountOf);
    }

    private List<HandlerRun> Fulfilled(string orderId) => [.. journal.For(orderId).Where(run => run.Subscription == "fulfilment")];

    private int Runs(string subscription, OrderPlaced order) =>
        journal.For(order.OrderId).Count(run => run.Subscription == subscription);
}
