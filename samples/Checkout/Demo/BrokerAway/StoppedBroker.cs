using EventBus;

namespace Checkout.Demo;

/// <summary>
/// Stops the broker between charge and publish, and starts it again. The event of one more order is published, but the
/// shop does not know it.
/// </summary>
internal sealed class StoppedBroker(Settings settings, Ledger ledger, Promises promises)
{
    private const int First = BrokerAwaySetup.First;
    private const int All = First + 1;

    private readonly BrokerControl broker = new(settings);
    private readonly Customers customers = new(First, TimeProvider.System);
    private readonly Customers late = new(1, TimeProvider.System);

    public async Task RunAsync(WebApplication app, Gate gate, CancellationToken cancellationToken)
    {
        Screen.Title("The broker is stopped between the charge and the event");
        Screen.Text(
            $"{First} customers order at the same time. Their cards are charged, and their events are not published yet.",
            "One more customer orders; its event is published, but the answer of the broker is lost. Then the broker is stopped.",
            "");
        Ledger.PrintHeader();
        var url = app.Urls.Single();
        var waiting = customers.OrderAsync(url, cancellationToken);
        await gate.HeldAsync(First, cancellationToken);
        var lateWaiting = late.OrderAsync(url, cancellationToken);
        await gate.HeldAsync(1, cancellationToken);
        await ledger.WaitAsync(static figures => figures is { Events: 1, Handled: 1 }, cancellationToken);
        await broker.StopAsync(cancellationToken);
        gate.Open();
        Answer?[] first = [.. await waiting, .. await lateWaiting];
        await PrintAsync("the broker is stopped", first, cancellationToken);
        var second = await OrderAsync(url, cancellationToken);
        var away = await PrintAsync("the customers try again", second, cancellationToken);

        await broker.StartAsync(cancellationToken);
        await ledger.WaitAsync(static figures => figures.AreDone(All) && figures.Arrivals > All, cancellationToken);
        await PrintAsync("the broker is started again", [], cancellationToken);
        var third = await OrderAsync(url, cancellationToken);
        await PrintAsync("the customers try again", third, cancellationToken);
        var deadLetters = await app.Services.GetRequiredService<IDeadLetters>().ListAsync(cancellationToken: cancellationToken);
        await app.StopAsync(cancellationToken);
        var end = await PrintAsync("the shop is stopped", [], cancellationToken);

        promises.Add("without the broker the answers are: paid, and delayed", Delayed(first), All);
        promises.Add("customers who try again with their key get the same order", Same(first, second), All);
        promises.Add("  and only the event that was published has arrived", away.Events, 1);
        promises.Add("with the broker they get it again", Same(first, third), All);
        promises.Add("  and no answer says that it is delayed", Delayed(third), 0);
        promises.Add("every customer has one order", end.Orders, All);
        promises.Add("  charged once", end.Charges, All);
        promises.Add("  with one event", end.Events, All);
        promises.Add("  of which the one whose answer was lost arrived again", end.Arrivals > All);
        promises.Add("  handled once", end.Handled, All);
        promises.Add("  so that each order has one of each", end.Once, All);
        promises.Add("  and there is no dead letter", deadLetters.Count, 0);
    }

    private static int Delayed(Answer?[] answers) => answers.Count(answer => answer is { IsDelayed: true, OrderId: not null });

    private static int Same(Answer?[] then, Answer?[] now) =>
        then.Zip(now).Where(pair => pair.First?.OrderId == pair.Second?.OrderId)
            .Select(pair => pair.First?.OrderId).OfType<string>().Distinct().Count();

    private async Task<Answer?[]> OrderAsync(string url, CancellationToken cancellationToken)
    {
        var answers = await Task.WhenAll(customers.OrderAsync(url, cancellationToken), late.OrderAsync(url, cancellationToken));
        return [.. answers[0], .. answers[1]];
    }

    private Task<Figures> PrintAsync(string step, Answer?[] answers, CancellationToken cancellationToken) =>
        ledger.PrintAsync(step, Customers.Describe(answers), cancellationToken);
}
