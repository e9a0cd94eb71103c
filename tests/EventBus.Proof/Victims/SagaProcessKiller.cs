namespace EventBus.Proof;

/// <summary>
/// Kills the process at the point that is planned for a saga, once for each saga and so many times for each point.
/// </summary>
internal sealed class SagaProcessKiller(ProcessKiller executioner, IReadOnlyList<SagaPlan> plans, int kills)
{
    /// <summary>The number of times that each point was reached, and of kills there.</summary>
    public static IReadOnlyDictionary<SagaPoint, int> Reached(string folder) =>
        SagaPoint.All.ToDictionary(point => point, point => Directory.EnumerateFiles(folder, $"{point} *").Count());

    public void At(SagaMoment moment, bool isAfter, long number)
    {
        if (plans[(int)number].Point is { } point
            && point.Moment == moment
            && point.IsAfter == isAfter
            && executioner.Mark($"{number}.met"))
        {
            for (var kill = 0; kill < kills; kill++)
            {
                executioner.Kill($"{point} {kill}", number, ((int)moment * 2) + (isAfter ? 1 : 0));
            }
        }
    }
}
