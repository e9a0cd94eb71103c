using EventBus;
using Microsoft.Extensions.DependencyInjection;

namespace TripBooking.Demo;

/// <summary>
/// Runs one of the two processes of the crash: the first begins a booking and is killed, the second waits for its end.
/// </summary>
internal static class CrashedPart
{
    public const string TripId = "trip-6";

    public static async Task<bool> RunAsync(IServiceProvider services, string part, CancellationToken cancellationToken)
    {
        var sagas = services.GetRequiredService<ISagas>();
        if (part == "first")
        {
            services.GetRequiredService<HotelService>().LosesAnswers = true;
            await sagas.RunAsync(new Trip("ada", 480m), TripId, cancellationToken);
            return false;
        }

        // The store knows at which step to resume.
        var result = await sagas.WaitAsync<Trip>(TripId, cancellationToken);
        await services.GetRequiredService<Timeline>().UntilAsync("saga.completed", 1, cancellationToken);
        return result.IsCompleted;
    }
}
