namespace Checkout.Demo;

/// <summary>
/// Kills the process of the shop between charge and publish, and starts it again. One more order is not charged yet.
/// </summary>
internal sealed class KilledShop(Settings settings, Ledger ledger, Promises promises)
{
    private const int Charged = BrokerAwaySetup.First;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        Screen.Title("The process is killed between the charge and the event");
        Screen.Text(
            $"{Charged} customers order at the same time. Their cards are charged; of half of them the shop does not know it yet.",
            "One more customer orders, whose card is not charged yet. Then the process is killed with SIGKILL.",
            "");
        Ledger.PrintHeader();
        var (customers, late) = (new Customers(Charged, TimeProvider.System), new Customers(1, TimeProvider.System));
        using (var first = new ChildShop(settings with { Part = "first" }))
        {
            var url = await first.StartedAsync(cancellationToken);
            var answers = customers.OrderAsync(url, cancellationToken);
            await first.HeldAsync(Charged, cancellationToken);
            var lateAnswer = late.OrderAsync(url, cancellationToken);
            await first.HeldAsync(1, cancellationToken);
            await first.KillAsync(cancellationToken);
            await PrintAsync("the process is killed", [.. await answers, .. await lateAnswer], cancellationToken);
        }

        using var second = new ChildShop(settings with { Part = "second" });
        var address = await second.StartedAsync(cancellationToken);
        await ledger.WaitAsync(figures => figures.AreDone(Charged), cancellationToken);
        var resumed = await PrintAsync("it is started again", [], cancellationToken);
        Answer?[] again = [.. await customers.OrderAsync(address, cancellationToken), .. await late.OrderAsync(address, cancellationToken)];
        await ledger.WaitAsync(figures => figures.AreDone(Charged + 1), cancellationToken);
        await PrintAsync("the customers try again", again, cancellationToken);
        var code = await second.StopAsync(cancellationToken);
        var end = await PrintAsync("the process is stopped", [], cancellationToken);

        promises.Add("the restart completes every order whose card was charged", resumed.Once, Charged);
        promises.Add("  and drops the one whose card was not", resumed.Orders, Charged);
        promises.Add("customers who try again with their key have one order each", Orders(again), Charged + 1);
        promises.Add("  charged once", end.Charges, Charged + 1);
        promises.Add("  with one event", end.Events, Charged + 1);
        promises.Add("  handled once", end.Handled, Charged + 1);
        promises.Add("  so that each order has one of each", end.Once, Charged + 1);
        promises.Add("the second process ends without an error", code, 0);
    }

    private static int Orders(Answer?[] answers) => answers.Select(answer => answer?.OrderId).OfType<string>().Distinct().Count();

    private Task<Figures> PrintAsync(string step, Answer?[] answers, CancellationToken cancellationToken) =>
        ledger.PrintAsync(step, Customers.Describe(answers), cancellationToken);
}
