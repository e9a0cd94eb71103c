namespace EventBus.Sagas;

/// <summary>A saga with the steps flight, hotel and payment, whose behavior a test chooses.</summary>
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
