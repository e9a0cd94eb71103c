namespace Checkout.Demo;

/// <summary>Stops the broker between charge and publish, and starts it again.</summary>
internal sealed class StoppedBroker(Settings settings, Ledger ledger, Promises promises)
{
    private const int Orders = 20;

    private readonly BrokerControl broker = new(settings);

    public async Task RunAsync(WebApplication app, Gate gate, CancellationToken cancellationToken)
    {
        Screen.Title("The broker is stopped between the charge and the event");
        Screen.Text($"{Orders} customers order at the same time. Their cards are charged. Then the broker is stopped.", "");
        Ledger.PrintHeader();
        var customers = new Customers(Orders, TimeProvider.System);
        var url = app.Urls.Single();
        var waiting = customers.OrderAsync(url, cancellationToken);
        await gate.HeldAsync(cancellationToken).Take(Orders).CountAsync(cancellationToken);
        await broker.StopAsync(cancellationToken);
        gate.Open();
        var first = await waiting;
        await PrintAsync("the broker is stopped", first, cancellationToken);
        var second = await customers.OrderAsync(url, cancellationToken);
        var away = await PrintAsync("the customers try again", second, cancellationToken);

        await broker.StartAsync(cancellationToken);
        await ledger.WaitAsync(Orders, cancellationToken);
        await PrintAsync("the broker is started again", [], cancellationToken);
        var third = await customers.OrderAsync(url, cancellationToken);
        await PrintAsync("the customers try again", third, cancellationToken);
        await app.StopAsync(cancellationToken);
        var end = await PrintAsync("the shop is stopped", [], cancellationToken);

        promises.Add("without the broker the answers are: paid, and delayed", Delayed(first), Orders);
        promises.Add("customers who try again with their key get the same order", Same(first, second), Orders);
        promises.Add("  and no event has arrived yet", away.Events, 0);
        promises.Add("with the broker they get it again", Same(first, third), Orders);
        promises.Add("  and no answer says that it is delayed", Delayed(third), 0);
        promises.Add("every customer has one order", end.Orders, Orders);
        promises.Add("  charged once", end.Charges, Orders);
        promises.Add("  with one event", end.Events, Orders);
        promises.Add("  handled once", end.Handled, Orders);
        promises.Add("  so that each order has one of each", end.Once, Orders);
    }

    private static int Delayed(Answer?[] answers) => answers.Count(answer => answer is { IsDelayed: true, OrderId: not null });

    private static int Same(Answer?[] then, Answer?[] now) =>
        then.Zip(now).Where(pair => pair.First?.OrderId == pair.Second?.OrderId)
            .Select(pair => pair.First?.OrderId).OfType<string>().Distinct().Count();

    private Task<Figures> PrintAsync(string step, Answer?[] answers, CancellationToken cancellationToken) =>
        ledger.PrintAsync(step, Customers.Describe(answers), cancellationToken);
}
