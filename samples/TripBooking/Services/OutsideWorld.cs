namespace TripBooking;

/// <summary>
/// Keeps the effects of the remote services in a file of all requests, which outlives a killed process. Honours
/// idempotency keys, as a saga needs it.
/// </summary>
public sealed class OutsideWorld(string folder)
{
    private readonly string file = Path.Combine(folder, "outside-world.txt");
    private readonly Lock gate = new();

    /// <summary>
    /// Does the work of a service for a trip once. A known key gets the earlier answer, and changes nothing.
    /// </summary>
    public Answer Do(string service, string trip, string key) => Handle(service, trip, key, +1);

    /// <summary>
    /// Undoes the work. If there is nothing to undo, a request that arrives after its cancellation is refused.
    /// </summary>
    public Answer Undo(string service, string trip, string key) => Handle(service, trip, key, -1);

    /// <summary>Returns the current bookings of a trip, as <c>flight x 1</c>.</summary>
    public string HeldFor(string trip)
    {
        var held =
            from request in Requests()
            where request.Trip == trip
            group request.Change by request.Service into service
            where service.Sum() != 0
            select $"{service.Key} x {service.Sum()}";
        return string.Join(", ", held.DefaultIfEmpty("nothing"));
    }

    /// <summary>Returns the number of requests with a key.</summary>
    public int RequestsWith(string key) => Requests().Count(request => request.Key == key);

    private Answer Handle(string service, string trip, string key, int change)
    {
        lock (gate)
        {
            var earlier = Requests();
            var own = earlier.FindAll(request => request.Trip == trip && request.Service == service);
            if (own.Find(request => request.Key == key) is { } known)
            {
                return Keep(known with { Change = 0 }, isRepeated: true);
            }

            if (change > 0 && own.Count > 0)
            {
                throw new InvalidOperationException("it was cancelled before");
            }

            var code = own.Count > 0 ? own[0].Code : $"{char.ToUpperInvariant(service[0])}{earlier.Count + 1}";
            return Keep(new Request(trip, service, key, own.Count == 0 && change < 0 ? 0 : change, code), isRepeated: false);
        }
    }

    private Answer Keep(Request request, bool isRepeated)
    {
        // In one write, which a kill does not split.
        File.AppendAllText(file, $"{request.Trip} {request.Service} {request.Key} {request.Change} {request.Code}\n");
        return new Answer(request.Code, isRepeated, request.Change != 0);
    }

    private List<Request> Requests() => File.Exists(file)
        ? [.. from line in File.ReadLines(file)
              let word = line.Split(' ')
              select new Request(word[0], word[1], word[2], int.Parse(word[3]), word[4])]
        : [];

    private sealed record Request(string Trip, string Service, string Key, int Change, string Code);
}

/// <summary>The answer of a service.</summary>
/// <param name="Code">The code of the booking.</param>
/// <param name="IsRepeated">True if the same key was used before.</param>
/// <param name="HadEffect">True if the request changed something.</param>
public sealed record Answer(string Code, bool IsRepeated, bool HadEffect);
