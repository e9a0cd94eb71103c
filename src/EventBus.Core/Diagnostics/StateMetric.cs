using System.Diagnostics.Metrics;

namespace EventBus;

/// <summary>
/// A gauge whose values are read beforehand, so that a collector never waits for a store or a broker. Reports nothing
/// while the values are not known.
/// </summary>
/// <typeparam name="T">The type of the values.</typeparam>
internal sealed class StateMetric<T>
    where T : struct
{
    private readonly ObservableGauge<T> instrument;
    private volatile IReadOnlyList<Measurement<T>> values = [];

    /// <summary>Creates the gauge.</summary>
    /// <param name="meter">The meter of the bus.</param>
    /// <param name="name">The name of the metric.</param>
    /// <param name="unit">The unit of its values.</param>
    /// <param name="description">The description that collectors show.</param>
    public StateMetric(Meter meter, string name, string unit, string description) =>
        instrument = meter.CreateObservableGauge(name, () => values, unit, description);

    /// <summary>True if a listener observes the gauge.</summary>
    public bool IsObserved => instrument.Enabled;

    /// <summary>Replaces the values.</summary>
    public void Set(IEnumerable<Measurement<T>> current) => values = [.. current];
}
