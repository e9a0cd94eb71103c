namespace Checkout.Demo;

/// <summary>
/// Runs the main part of the demo: the checkout, and an outage. Waits for events, never for a fixed time.
/// </summary>
internal sealed class CheckoutDemo(IServiceProvider services, ShopClient shop, Promises promises)
{
    private const string Blocking = "/checkout/blocking";
    private const string EventDriven = "/checkout";
    private const int Handlers = 8;

    private static readonly TimeSpan PageLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan SlowEnough = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan FastEnough = TimeSpan.FromSeconds(2);

    private readonly TimeProvider time = services.GetRequiredService<TimeProvider>();
    private readonly Quiet quiet = services.GetRequiredService<Quiet>();
    private readonly EmailService email = services.GetRequiredService<EmailService>();
    private readonly PaymentService payments = services.GetRequiredService<PaymentService>();
    private readonly OrderBook book = services.GetRequiredService<OrderBook>();
    private readonly DemoPager pager = services.GetRequiredService<DemoPager>();
    private readonly Journal journal = services.GetRequiredService<Journal>();
    private readonly Tally tally = new(services);

    /// <summary>The time of the blocking request and that of the event-driven one, when everything works.</summary>
    public (TimeSpan Blocking, TimeSpan EventDriven) Times { get; private set; }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var health = await shop.HealthAsync(cancellationToken);
        Screen.Line();
        Screen.Text("A shop whose checkout calls seven services:", "");
        tally.PrintServices();
        Screen.Text("", $"It is up on a free port, and GET /health says {health}.");

        await EverythingWorksAsync(cancellationToken);
        await RefusalsAsync(cancellationToken);
        var order = await EmailIsDownAsync(cancellationToken);
        await EmailIsBackAsync(order, cancellationToken);
    }

    private async Task EverythingWorksAsync(CancellationToken cancellationToken)
    {
        Screen.Title("1  Everything works");
        var blocking = await shop.CheckoutAsync(Blocking, cancellationToken);
        Screen.Answer(blocking, "waited for all seven services");
        var answer = await shop.CheckoutAsync(EventDriven, cancellationToken);
        Screen.Answer(answer, "waited for the order and the payment");
        Times = (blocking.Elapsed, answer.Elapsed);
        Screen.Text(
            "",
            "The second one published order.placed, and eight handlers did the rest, in parallel. Five of them call",
            "the services; the others are new, and the checkout did not change for them",
            "(times since the request):",
            "");

        await quiet.UntilAsync(() => RunsOf(answer).Count == Handlers, "the work of the eight handlers", cancellationToken);
        var runs = RunsOf(answer);
        new Timeline(time, answer.Sent).Draw(answer.Elapsed, runs);

        promises.Add("the blocking checkout takes 6 s or more", blocking.Elapsed, blocking.Succeeded && blocking.Elapsed >= SlowEnough);
        promises.Add("the event-driven checkout answers within 2 s", answer.Elapsed, answer.Succeeded && answer.Elapsed <= FastEnough);
        promises.Add("eight handlers do the rest, each once", runs.Count(run => run.Error is null), Handlers);
    }

    private async Task RefusalsAsync(CancellationToken cancellationToken)
    {
        Screen.Title("2  What must block, blocks");
        var before = await book.CountAsync(cancellationToken);
        var soldOut = await shop.CheckoutAsync(EventDriven, ShopClient.SoldOut, cancellationToken);
        Screen.Answer(soldOut, $"\"{soldOut.Problem}\"");
        payments.DeclinesCards = true;
        var declined = await shop.CheckoutAsync(EventDriven, cancellationToken);
        payments.DeclinesCards = false;
        Screen.Answer(declined, $"\"{declined.Problem}\"");
        Screen.Text("", "Both customers know at once, no order stands, and no event was published.");

        promises.Add("an item that is not in stock is refused with 409", (int)soldOut.Status, 409);
        promises.Add("a declined card is refused with 402", (int)declined.Status, 402);
        promises.Add("  and no order stands", await book.CountAsync(cancellationToken) - before, 0);
    }

    private async Task<Answer> EmailIsDownAsync(CancellationToken cancellationToken)
    {
        Screen.Title("3  The e-mail service is down");
        email.IsDown = true;
        tally.Start();
        var blocking = await shop.CheckoutAsync(Blocking, cancellationToken);
        Screen.Answer(blocking, "failed, but the card was charged");
        var paymentTaken = tally.Note("blocking")[1];

        tally.Start();
        var answer = await shop.CheckoutAsync(EventDriven, cancellationToken);
        Screen.Answer(answer, $"order {answer.OrderId} is placed");
        Screen.Text(
            "",
            "The first customer has paid and reads",
            $"  \"{blocking.Problem}\"",
            "Trying again means paying twice, and no stock is reserved for the first payment.",
            "",
            "The second customer is done. Only the receipt is tried again, after longer and longer waits",
            "(times since the request):",
            "");

        // Not WhenIdleAsync: it does not wait for a retry that is due later. The page ends this part.
        var page = await pager.NextAsync(PageLimit, cancellationToken);
        var receipts = ReceiptsOf(answer);
        var timeline = new Timeline(time, answer.Sent);
        timeline.List(receipts, "attempt");
        timeline.Event("pager", page.At, page.Message);

        promises.Add(
            "without e-mail the blocking checkout fails with a problem",
            (int)blocking.Status >= 500 && blocking.Problem is not null);
        promises.Add("  although the payment was taken", paymentTaken, 1);
        promises.Add(
            "without e-mail the event-driven checkout answers within 2 s",
            answer.Elapsed,
            answer.Succeeded && answer.Elapsed <= FastEnough);
        promises.Add("  the receipt has 4 attempts: the first and 3 retries", receipts.Count(run => run.Error is not null), 4);
        return answer;
    }

    private async Task EmailIsBackAsync(Answer order, CancellationToken cancellationToken)
    {
        Screen.Title("4  The e-mail service is back");
        await quiet.UntilAsync(
            () => RunsOf(order).Count(run => run.Error is null) == Handlers - 1,
            "the work of the other handlers",
            cancellationToken);
        tally.Note("event bus");
        email.IsDown = false;
        var earlier = ReceiptsOf(order).Count;

        var letters = await shop.DeadLettersAsync(cancellationToken);
        Screen.Text("GET  /dead-letters");
        foreach (var letter in letters)
        {
            Screen.Text($"  {letter.Id}", $"  {letter.EventName}, {letter.Attempts} attempts, {letter.Error}", "");
            var status = await shop.RetryAsync(letter.Id, cancellationToken);
            Screen.Text($"POST /dead-letters/retry?id={letter.Id}", $"  {(int)status} {status}", "");
        }

        await quiet.UntilAsync(() => ReceiptsOf(order).Count > earlier, "the manual retry", cancellationToken);
        new Timeline(time, order.Sent).List(ReceiptsOf(order).Skip(earlier), "retry");
        var done = tally.Note("after retry");
        Screen.Text("", "How often each service did its work, for the two orders of this outage:", "");
        tally.PrintTable();

        promises.Add("  it is kept as one dead letter", letters.Count, 1);
        promises.Add("  operators are alerted once", pager.Count, 1);
        promises.Add("after the manual retry the receipt is sent, once", done[2], 1);
        promises.Add(
            "  and the seven other handlers ran once, not again",
            RunsOf(order).Count(run => run.Subscription != "receipt"),
            Handlers - 1);
        promises.Add("  and no dead letter is left", (await shop.DeadLettersAsync(cancellationToken)).Count, 0);
    }

    private List<HandlerRun> RunsOf(Answer answer) => [.. journal.For(answer.OrderId ?? "").Where(run => run.EventName == "order.placed")];

    private List<HandlerRun> ReceiptsOf(Answer answer) => [.. RunsOf(answer).Where(run => run.Subscription == "receipt")];
}
