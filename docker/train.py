# docker/train.py
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fuseprop import MLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
model = MLPClassifier(random_state=0).fit(X_train, y_train)
print(f"accuracy {model.score(X_test, y_test):.3f}, trained on {model.device_}")
