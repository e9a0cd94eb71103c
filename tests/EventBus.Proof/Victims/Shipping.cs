namespace EventBus.Proof;

/// <summary>The tested saga: five steps, all with a compensation.</summary>
internal abstract class Shipping<TParcel>(ParcelServices services, TimeSpan patience) : Saga<TParcel>
    where TParcel : Parcel
{
    private const int Retries = 2;

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan StepTime = TimeSpan.FromSeconds(1.5);

    protected internal override void Define(SagaBuilder<TParcel> saga)
    {
        foreach (var name in Parcel.Steps)
        {
            var step = saga.Step(name, services.ExecuteAsync, services.CompensateAsync)
                .Retry(Retries, FirstDelay)
                .RetryCompensation(Retries, FirstDelay)
                .Timeout(StepTime)
                .RejectedBy<RejectedException>();
            if (name == Parcel.Ask)
            {
                step.WaitFor<Answer>(patience, services.LookAtAsync);
            }
        }
    }
}
