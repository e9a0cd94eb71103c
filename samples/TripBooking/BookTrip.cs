using EventBus;

namespace TripBooking;

/// <summary>Flight, hotel, payment, confirmation: the whole trip, or none of it.</summary>
public sealed class BookTrip(FlightService flights, HotelService hotels, PaymentService payments) : Saga<Trip>
{
    #region saga
    protected override void Define(SagaBuilder<Trip> saga)
    {
        // First the steps that can be undone at no cost. The scarcest resource comes first: without a seat no room is needed.
        saga.Step("flight", BookFlightAsync, CancelFlightAsync);

        // No answer within two seconds: there may be a room or not. It is asked once more, under the same key, and then undone.
        saga.Step("hotel", BookRoomAsync, CancelRoomAsync).Timeout(TimeSpan.FromSeconds(2)).Retry(1, TimeSpan.FromMilliseconds(200));

        // Then what costs fees and trust to take back. A declined card has had no effect: nothing to retry, nothing to refund.
        // Could it not be refunded, it would be the pivot.
        saga.Step("payment", ChargeAsync, RefundAsync).RejectedBy<PaymentDeclinedException>();

        // Last the step that cannot be undone: the traveller has read the e-mail. From here on the trip stands; if this step keeps failing, operators are alerted.
        saga.Pivot("confirmation", AskForConfirmationAsync).WaitFor<ConfirmationSent>(TimeSpan.FromSeconds(10), NoteConfirmationAsync);
    }

    private async Task BookFlightAsync(SagaContext<Trip> trip, CancellationToken cancellationToken)
    {
        var code = await flights.BookAsync(trip.SagaId, trip.IdempotencyKey, cancellationToken);
        trip.State = trip.State with { Flight = code };
    }

    // By the trip, and not by the code in the state: when the answer was lost, there is a seat and no code.
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

    // The event leaves when the step is kept as done, and never otherwise. Whoever handles it answers with an event.
    private static Task AskForConfirmationAsync(SagaContext<Trip> trip, CancellationToken cancellationToken) =>
        trip.PublishAsync(new ConfirmationRequested(trip.SagaId, trip.State.Traveller, trip.IdempotencyKey), cancellationToken);

    private static Task NoteConfirmationAsync(ConfirmationSent reply, SagaContext<Trip> trip, CancellationToken cancellationToken)
    {
        trip.State = trip.State with { IsConfirmed = true };
        return Task.CompletedTask;
    }
}
