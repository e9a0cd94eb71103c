namespace EventBus.Sagas;

/// <summary>Flight, hotel, payment, as the test wants them.</summary>
internal sealed class BookTrip(Script script, Action<SagaBuilder<Trip>, Script>? define = null) : Saga<Trip>
{
    protected internal override void Define(SagaBuilder<Trip> saga)
    {
        if (define is not null)
        {
            define(saga, script);
            return;
        }

        foreach (var name in (string[])["flight", "hotel", "payment"])
        {
            saga.Step(name, script, undo: true).Retry(0).RetryCompensation(0).RejectedBy<DeclinedException>();
        }
    }
}
