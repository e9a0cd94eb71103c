using EventBus;
using Microsoft.Extensions.DependencyInjection;

namespace TripBooking.Demo;

/// <summary>Runs five bookings: one that succeeds, and four that fail in different ways.</summary>
internal sealed class TripDemo(IServiceProvider services, Promises promises)
{
    private readonly ISagas sagas = services.GetRequiredService<ISagas>();
    private readonly SagaManager manager = services.GetRequiredService<SagaManager>();
    private readonly Timeline timeline = services.GetRequiredService<Timeline>();
    private readonly OutsideWorld world = services.GetRequiredService<OutsideWorld>();
    private readonly FlightService flights = services.GetRequiredService<FlightService>();
    private readonly HotelService hotels = services.GetRequiredService<HotelService>();
    private readonly MailService mail = services.GetRequiredService<MailService>();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        Screen.Line();
        Screen.Text(
            "A trip is booked with services that know nothing of each other: flight, hotel, payment, confirmation.",
            "Each request has an idempotency key, which is shown next to it.");
        await GoodAsync("trip-1", cancellationToken);
        await DeclinedAsync("trip-2", cancellationToken);
        await RefusedAsync("trip-3", cancellationToken);
        await InDoubtAsync("trip-4", cancellationToken);
        await NeedsAttentionAsync("trip-5", cancellationToken);
    }

    private async Task GoodAsync(string id, CancellationToken cancellationToken)
    {
        Screen.Title("1  A good booking");
        var result = await BookAsync(id, 480m, cancellationToken);
        await timeline.UntilAsync("saga.completed", 1, cancellationToken);
        await timeline.UntilAsync("saga.step.completed", 4, cancellationToken);
        Conclude(result);

        promises.Add("a good booking is completed", result.Status, SagaStatus.Completed);
        promises.Add(
            "  with four steps, each done once",
            world.HeldFor(id),
            "flight x 1, hotel x 1, payment x 1, confirmation x 1");
        promises.Add("  of which the last waited for an event in reply", result.State.IsConfirmed);
        promises.Add("  a subscriber receives an event", timeline.Of("saga.completed").Count, 1);
        promises.Add("  and another one shows the progress", timeline.Of("saga.step.completed").Count, 4);
    }

    private async Task DeclinedAsync(string id, CancellationToken cancellationToken)
    {
        Screen.Title("2  The payment is declined");
        var result = await BookAsync(id, 1_290m, cancellationToken);
        await FailedAsync(2, cancellationToken);
        Conclude(result, $"It failed at {result.FailedStep}: {result.Error}");

        promises.Add("a declined payment ends the booking compensated", result.Status, SagaStatus.Compensated);
        promises.Add(
            "  undone in reverse, without the payment, which had no effect",
            string.Join(", ", result.Compensated),
            "hotel, flight");
        promises.Add("  nothing is left of it", world.HeldFor(id), "nothing");
        promises.Add(
            "  and a subscriber receives what was undone",
            string.Join("; ", timeline.Of("saga.failed")),
            $"{id} failed at payment with {typeof(PaymentDeclinedException)}, undone: hotel, flight");
    }

    private async Task RefusedAsync(string id, CancellationToken cancellationToken)
    {
        Screen.Title("3  The confirmation is refused after the card was charged");
        mail.RefusesAddresses = true;
        var result = await BookAsync(id, 480m, cancellationToken);
        mail.RefusesAddresses = false;
        await FailedAsync(3, cancellationToken);
        Conclude(
            result,
            $"It failed at {result.FailedStep}: {result.Error}",
            "The text is for the caller and for operators. The event saga.failed has the type of the exception only.");

        promises.Add("a step that fails after the charge ends the booking compensated", result.Status, SagaStatus.Compensated);
        promises.Add(
            "  the card is refunded first, then the rest is undone",
            string.Join(", ", result.Compensated),
            "payment, hotel, flight");
        promises.Add("  each once", world.RequestsWith($"{id}/payment/compensate"), 1);
        promises.Add("  nothing is left of it", world.HeldFor(id), "nothing");
        promises.Add(
            "  and the event names the type of the exception, not its text",
            string.Join("; ", timeline.Of("saga.failed")),
            $"{id} failed at confirmation with {typeof(ConfirmationRefusedException)}, undone: payment, hotel, flight");
    }

    private async Task InDoubtAsync(string id, CancellationToken cancellationToken)
    {
        Screen.Title("4  The hotel does not answer");
        hotels.LosesAnswers = true;
        var result = await BookAsync(id, 480m, cancellationToken);
        hotels.LosesAnswers = false;
        await FailedAsync(1, cancellationToken);
        Conclude(result, "The room was booked, which the saga could not know. A step in doubt is undone too.");

        promises.Add("a step that timed out is retried with the same key", world.RequestsWith($"{id}/hotel/execute"), 2);
        promises.Add(
            "  then undone too, because it may have had its effect",
            string.Join(", ", result.Compensated),
            "hotel, flight");
        promises.Add("  which it had: the room is free again", world.HeldFor(id), "nothing");
    }

    private async Task NeedsAttentionAsync(string id, CancellationToken cancellationToken)
    {
        Screen.Title("5  A cancellation fails");
        flights.CannotCancel = true;
        var stuck = await BookAsync(id, 1_290m, cancellationToken);
        await timeline.UntilAsync("pager", 1, cancellationToken);
        Conclude(stuck, $"It cannot continue: {stuck.Error}");
        var left = world.HeldFor(id);

        Screen.Text("", "The airline fixes it, and an operator retries the saga:", "");
        flights.CannotCancel = false;
        var taken = await manager.RetryAsync(id, cancellationToken);
        var result = await sagas.WaitAsync<Trip>(id, cancellationToken);
        await FailedAsync(2, cancellationToken);
        Conclude(result);
        await ShowHistoryAsync(id, cancellationToken);

        promises.Add("a cancellation that keeps failing needs attention", stuck.Status, SagaStatus.NeedsAttention);
        promises.Add("  the flight is still booked", left, "flight x 1");
        promises.Add("  operators are paged once", timeline.Of("pager").Count, 1);
        promises.Add("  retried by an operator it ends compensated", taken && result.Status == SagaStatus.Compensated);
        promises.Add("  the hotel, which was undone before, is not asked again", world.RequestsWith($"{id}/hotel/compensate"), 1);
        promises.Add("  nothing is left of it", world.HeldFor(id), "nothing");
    }

    private Task<SagaResult<Trip>> BookAsync(string id, decimal price, CancellationToken cancellationToken)
    {
        timeline.Begin();
        return sagas.RunAsync(new Trip("ada", price), id, cancellationToken);
    }

    /// <summary>Waits for the events of a booking that failed: its end, and the steps that were done before.</summary>
    private async Task FailedAsync(int steps, CancellationToken cancellationToken)
    {
        await timeline.UntilAsync("saga.failed", 1, cancellationToken);
        await timeline.UntilAsync("saga.step.completed", steps, cancellationToken);
    }

    private void Conclude(SagaResult<Trip> result, params ReadOnlySpan<string> comment)
    {
        Screen.Text("", $"{result.Id} is {result.Status}. Outside there is: {world.HeldFor(result.Id)}.");
        Screen.Text(comment);
    }

    private async Task ShowHistoryAsync(string id, CancellationToken cancellationToken)
    {
        var saga = await sagas.FindAsync(id, cancellationToken) ?? throw new InvalidOperationException($"the saga {id} is gone.");
        Screen.Text("", "The history of the saga in the store (ISagas.FindAsync):", "");
        foreach (var entry in saga.History)
        {
            Screen.Text($"{Screen.Seconds(entry.At - saga.StartedAt)}  {entry.Step ?? "the saga",-16} {entry.Text}");
        }
    }
}
