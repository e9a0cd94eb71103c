using EventBus;

namespace TripBooking;

/// <summary>Books flight, hotel, payment and confirmation: the whole trip, or none of it.</summary>
public sealed class BookTrip(FlightService flights, HotelService hotels, PaymentService payments) : Saga<Trip>
{
    #region saga
    protected override void Define(SagaBuilder<Trip> saga)
    {
        // First the steps that can be undone at no cost. The scarcest resource comes first: without a seat no room is
        // needed.
        saga.Step("flight", BookFlightAsync, CancelFlightAsync);

        // Without an answer within two seconds, a room may be booked or not. The step is retried once with the
        // same key, and then compensated.
        saga.Step("hotel", BookRoomAsync, CancelRoomAsync).Timeout(TimeSpan.FromSeconds(2)).Retry(1, TimeSpan.FromMilliseconds(200));

        // Then the step that is costly to undo. A declined card has had no effect: nothing to retry, nothing to refund.
        // If a payment could not be refunded, this step would be the pivot: the step that cannot be undone.
        saga.Step("payment", ChargeAsync, RefundAsync).RejectedBy<PaymentDeclinedException>();

        // Last the step that cannot be undone: the traveller has read the e-mail. From here on the trip is not
        // compensated. If the mail server refuses the e-mail, nothing was sent: the card is refunded, and the rest is
        // undone. Without an answer it is unknown whether it was sent, and operators are alerted.
        saga.Pivot("confirmation", AskForConfirmationAsync)
            .WaitFor<ConfirmationAnswered>(TimeSpan.FromSeconds(10), NoteConfirmationAsync)
            .RejectedBy<ConfirmationRefusedException>();
    }

    private async Task BookFlightAsync(SagaContext<Trip> trip, CancellationToken cancellationToken)
    {
        var code = await flights.BookAsync(trip.SagaId, trip.IdempotencyKey, cancellationToken);
        trip.State = trip.State with { Flight = code };
    }

    // Cancels by the id of the trip and not by the booking code: after a lost answer, a seat is booked without a code.
    private Task CancelFlightAsync(SagaContext<Trip> trip, CancellationToken cancellationToken) =>
        flights.CancelAsync(trip.SagaId, trip.IdempotencyKey, cancellationToken);
    #endregion

    private async Task BookRoomAsync(SagaContext<Trip> trip, CancellationToken cancellationToken)
    {
        var code = await hotels.BookAsync(trip.SagaId, trip.IdempotencyKey, cancellationToken);
        trip.State = trip.State with { Room = code };
    }

    private Task CancelRoomAsync(SagaContext<Trip> trip, CancellationToken cancellationToken) =>
        hotels.CancelAsync(trip.SagaId, trip.IdempotencyKey, cancellationToken);

    private async Task ChargeAsync(SagaContext<Trip> trip, CancellationToken cancellationToken)
    {
        var code = await payments.ChargeAsync(trip.SagaId, trip.State.Price, trip.IdempotencyKey, cancellationToken);
        trip.State = trip.State with { Receipt = code };
    }

    private Task RefundAsync(SagaContext<Trip> trip, CancellationToken cancellationToken) =>
        payments.RefundAsync(trip.SagaId, trip.IdempotencyKey, cancellationToken);

    // The event is sent only after the step is stored as done. Its handler answers with an event.
    private static Task AskForConfirmationAsync(SagaContext<Trip> trip, CancellationToken cancellationToken) =>
        trip.PublishAsync(new ConfirmationRequested(trip.SagaId, trip.State.Traveller, trip.IdempotencyKey), cancellationToken);

    private static Task NoteConfirmationAsync(ConfirmationAnswered reply, SagaContext<Trip> trip, CancellationToken cancellationToken)
    {
        if (!reply.IsSent)
        {
            throw new ConfirmationRefusedException(trip.State.Traveller);
        }

        trip.State = trip.State with { IsConfirmed = true };
        return Task.CompletedTask;
    }
}
