namespace EventBus.ReadModel;

/// <summary>The load: the same in every form.</summary>
/// <param name="Users">The number of users.</param>
/// <param name="OrdersPerUser">The number of orders that each user has before the first round.</param>
/// <param name="CheckoutsPerSecond">The rate of the checkouts.</param>
/// <param name="QueriesPerSecond">The rate of the queries.</param>
/// <param name="Seconds">The time of one measurement.</param>
/// <param name="Rounds">The number of rounds.</param>
internal sealed record LoadPlan(
    int Users,
    int OrdersPerUser,
    int CheckoutsPerSecond,
    int QueriesPerSecond,
    int Seconds,
    int Rounds)
{
    public static LoadPlan Full { get; } = new(50, 1_000, 120, 100, 3, 15);

    public static LoadPlan Short { get; } = new(5, 100, 50, 50, 1, 2);
}
